package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is one result. Goal is empty where it only tells what a ratio is made of.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"`
	OK    bool    `json:"ok"`
	Low   float64 `json:"low"`  // least of the repeats
	High  float64 `json:"high"` // most of the repeats
}

type report struct {
	machine string
	figures []figure
}

// sample is what repeats of one measurement gave.
type sample []float64

func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// quantile of many values, 0 to 1.
func (s sample) quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// tell adds a figure without a goal.
func (r *report) tell(name, unit string, s sample) {
	r.add(figure{Name: name, Unit: unit, OK: true}, s)
}

// atLeast adds a figure that should be goal or more.
func (r *report) atLeast(name, unit string, goal float64, s sample) {
	r.add(figure{Name: name, Unit: unit, Goal: fmt.Sprintf("≥ %g", goal), OK: s.median() >= goal}, s)
}

// atMost adds a figure that should be goal or less.
func (r *report) atMost(name, unit string, goal float64, s sample) {
	r.add(figure{Name: name, Unit: unit, Goal: fmt.Sprintf("≤ %g", goal), OK: s.median() <= goal}, s)
}

func (r *report) add(f figure, s sample) {
	f.Value, f.Low, f.High = rounded(s.median()), rounded(slices.Min(s)), rounded(slices.Max(s))
	r.figures = append(r.figures, f)
	fmt.Printf("   %s\n", line(f))
}

func rounded(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 3-math.Ceil(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

func line(f figure) string {
	verdict := ""
	switch {
	case f.Goal == "":
	case f.OK:
		verdict = "reached"
	default:
		verdict = "**missed**"
	}
	spread := ""
	if f.Low != f.High {
		spread = fmt.Sprintf("%g to %g", f.Low, f.High)
	}
	return fmt.Sprintf("| %s | %g %s | %s | %s | %s |", f.Name, f.Value, f.Unit, spread, f.Goal, verdict)
}

func (r *report) describeMachine(ctx context.Context) error {
	version, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		return err
	}
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	r.machine = fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(version)))
	fmt.Println(r.machine)
	return nil
}

// write makes results.json, and results.md with the notes of why.md at its end: what is
// missed, by how much and why is a person's to say.
func (r *report) write(dir string, whole bool) error {
	if !whole {
		if err := r.join(filepath.Join(dir, "results.json")); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(r.figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What was measured\n\nMade by `make bench` on %s: %s.\nValue is the median of the repeats, spread their least and most.\n\n", time.Now().UTC().Format("2 January 2006"), r.machine)
	b.WriteString("| What | Value | Spread | Goal | |\n|---|---|---|---|---|\n")
	for _, f := range r.figures {
		b.WriteString(line(f) + "\n")
	}
	why, err := os.ReadFile(filepath.Join(dir, "why.md"))
	if err != nil {
		return err
	}
	b.WriteString("\n" + string(why))
	return os.WriteFile(filepath.Join(dir, "results.md"), []byte(b.String()), 0o644)
}

// join puts new figures in the place of old ones of the same name.
func (r *report) join(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var all []figure
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, f := range r.figures {
		if i := slices.IndexFunc(all, func(old figure) bool { return old.Name == f.Name }); i >= 0 {
			all[i] = f
		} else {
			all = append(all, f)
		}
	}
	r.figures = all
	return nil
}

// ratios divides pairwise: what was measured side by side is compared side by side.
func ratios(a, b sample) sample {
	var out sample
	for i := range min(len(a), len(b)) {
		out = append(out, a[i]/b[i])
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
