package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tools is where the judges are.
type tools struct {
	here   string // this folder
	cache  string
	python string
}

// install downloads what is not in the cache yet, or is there at another version.
func install(ctx context.Context, here string) (*tools, error) {
	for name, what := range map[string]string{"python3": "Python 3 with venv", "mvn": "Maven", "java": "a JDK, 17 or later", "javac": "a JDK, 17 or later"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("%s is missing: install %s", name, what)
		}
	}
	abs, err := filepath.Abs(here)
	if err != nil {
		return nil, err
	}
	t := &tools{here: abs, cache: filepath.Join(abs, ".cache")}
	venv := filepath.Join(t.cache, "venv")
	t.python = filepath.Join(venv, "bin", "python")
	err = t.once(filepath.Join(t.here, "pyhanko", "requirements.txt"), func(pinned string) error {
		if err := loud(ctx, "python3", "-m", "venv", "--clear", venv); err != nil {
			return err
		}
		return loud(ctx, t.python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", pinned)
	})
	if err != nil {
		return nil, err
	}
	for _, judge := range []string{"dss", "verapdf"} {
		err := t.once(filepath.Join(t.here, judge, "pom.xml"), func(pinned string) error {
			jars := filepath.Join(t.cache, judge)
			if err := os.RemoveAll(jars); err != nil {
				return err
			}
			return loud(ctx, "mvn", "--quiet", "--batch-mode", "-Dmaven.repo.local="+filepath.Join(t.cache, "m2"), "-f", pinned,
				"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DoutputDirectory="+jars)
		})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// once does what a list of versions asks for, unless it was done for this very list.
func (t *tools) once(pinned string, do func(pinned string) error) error {
	text, err := os.ReadFile(pinned)
	if err != nil {
		return err
	}
	done := filepath.Join(t.cache, fmt.Sprintf("%x.done", sha256.Sum256(text)))
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	fmt.Println("downloading", filepath.Base(filepath.Dir(pinned)), "…")
	if err := os.MkdirAll(t.cache, 0o755); err != nil {
		return err
	}
	if err := do(pinned); err != nil {
		return fmt.Errorf("install %s: %w", pinned, err)
	}
	return os.WriteFile(done, nil, 0o600)
}

func loud(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}

// answer is what a judge of others says of a file.
type answer struct {
	Error      string
	File       string
	Signatures []opinion

	Flavour    string         // veraPDF
	Violations map[string]int // by rule

	Name  string // of a file that pyHanko made
	Level string
	Count int
}

// opinion is what it says of one signature or document timestamp.
type opinion struct {
	Field string
	Kind  string // "signature" or "timestamp"
	Level string // the highest that it confirms
	Why   string // not good; empty: good
	Next  string // why it is no level higher, may be empty
}

// ask runs a program with lines of orders, and reads its lines of JSON.
func ask(ctx context.Context, orders []string, name string, args ...string) ([]answer, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin = strings.NewReader(strings.Join(orders, "\n") + "\n")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, errs.String())
	}
	var answers []answer
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		answers = append(answers, a)
	}
	return answers, lines.Err()
}

func (t *tools) java(ctx context.Context, judge string, orders []string, args ...string) ([]answer, error) {
	program := filepath.Join(t.here, judge, "Judge.java")
	return ask(ctx, orders, "java", append([]string{"-Djava.util.logging.config.file=/dev/null", "-Xmx2g", "-cp", filepath.Join(t.cache, judge, "*"), program}, args...)...)
}

// sign lets pyHanko sign files of its own, and pyHanko and EU DSS extend one of ours.
func (t *tools) sign(ctx context.Context, k *kit) error {
	order, err := json.Marshal(map[string]string{"folder": k.folder, "root": k.rootFile, "tsa": k.pki.URL + "/tsa", "keys": k.folder,
		"chain": k.chainFile, "plain": k.path("plain"), "form": k.path("form"), "ours": k.path(oursToExtend), "lists": k.path(listsToExtend)})
	if err != nil {
		return err
	}
	made, err := ask(ctx, []string{string(order)}, t.python, filepath.Join(t.here, "pyhanko", "make.py"))
	if err != nil {
		return fmt.Errorf("pyHanko signs: %w", err)
	}
	for _, m := range made {
		k.samples = append(k.samples, sample{Name: m.Name, File: m.File, Level: m.Level, Signatures: m.Count})
	}
	var orders []string
	for _, level := range []string{"B-LT", "B-LTA"} {
		name := "dss-extends-ours-" + level
		orders = append(orders, strings.Join([]string{k.path(oursToExtend), "extend", level, k.path(name)}, "\t"))
		k.samples = append(k.samples, sample{Name: name, File: k.path(name), Level: level, Signatures: 1})
	}
	answers, err := t.java(ctx, "dss", orders, k.rootFile, k.pki.URL+"/tsa")
	for _, a := range answers {
		if a.Error != "" {
			return fmt.Errorf("EU DSS extends %s: %s", a.File, a.Error)
		}
	}
	return err
}
