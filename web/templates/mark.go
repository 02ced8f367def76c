package templates

import (
	"crypto/sha256"
	"math"
	"strings"

	"github.com/a-h/templ"
)

// The mark of a brand without a logo: one sheet cut in two along a line of four columns,
// drawn from the brand's own name. Above the cut is ink, below is pen.
const (
	markBox    = 24.0
	markColumn = 6.0
	markStep   = 4.6
	markTop    = 6.6
	markGap    = 1.8
)

// markLevels are four levels 0 to 2 from the name's SHA-256; a flat line is not a cut, so
// then the next four digits are taken.
func markLevels(name string) []int {
	sum := sha256.Sum256([]byte(name))
	levels := make([]int, 4)
	for at := 0; at+4 <= 2*len(sum); at += 4 {
		same := true
		for i := range levels {
			levels[i] = nibble(sum[:], at+i) * 3 / 16
			same = same && levels[i] == levels[0]
		}
		if !same {
			break
		}
	}
	return levels
}

func markUpper(name string) string {
	return "M" + markCut(name, 0) + "V2.5A2.5 2.5 0 0 0 21.5 0H2.5A2.5 2.5 0 0 0 0 2.5Z"
}

func markLower(name string) string {
	return "M" + markCut(name, markGap) + "V21.5A2.5 2.5 0 0 1 21.5 24H2.5A2.5 2.5 0 0 1 0 21.5Z"
}

func markCut(name string, gap float64) string {
	levels := markLevels(name)
	y := func(i int) float64 { return tenth(markTop + markStep*float64(levels[i])) }
	pts := []point{{0, tenth(y(0) + gap)}}
	for i := 1; i < len(levels); i++ {
		if levels[i] != levels[i-1] {
			x := tenth(border(float64(i)*markColumn, y(i-1), y(i), gap))
			pts = append(pts, point{x, tenth(y(i-1) + gap)}, point{x, tenth(y(i) + gap)})
		}
	}
	pts = append(pts, point{markBox, tenth(y(3) + gap)})
	parts := make([]string, len(pts))
	for i, p := range pts {
		parts[i] = string(xy(nil, p))
	}
	return strings.Join(parts, "L")
}

func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// Icon is the mark as an SVG file of its own, for the browser's tab. It carries its own
// colours because it stands outside the page.
func Icon(brand string) string {
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#1c2333" d="` + markUpper(brand) +
		`"/><path fill="#2546ad" d="` + markLower(brand) + `"/></svg>`
}

// iconURL is the picture in the browser's tab.
func iconURL(b Brand) templ.SafeURL {
	if b.Logo != "" {
		return templ.URL(b.Logo)
	}
	return "/icon.svg"
}
