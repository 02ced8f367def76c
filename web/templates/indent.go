package templates

import "strconv"

// The indent is the stepped cut between the two halves of an indenture, drawn from a
// fingerprint: twelve columns, each on one of four levels.
const (
	columns     = 12
	columnWidth = 12.0
	levelStep   = 6.0
	indentTop   = 2.0
	indentGap   = 4.0
	cornerMost  = 2.5
	ruleLevel   = 11.0 // where the straight rule of an indent-rule runs on
	ruleWidth   = 2400.0
)

// IndentLevels are the twelve levels, 0 on top to 3, of a SHA-256: hex digits 1 to 12, each divided by four.
func IndentLevels(sha256 []byte) []int {
	if len(sha256) < columns/2 {
		return nil
	}
	levels := make([]int, columns)
	for i := range levels {
		levels[i] = nibble(sha256, i) / 4
	}
	return levels
}

// nibble is hex digit i of b.
func nibble(b []byte, i int) int {
	if i%2 == 0 {
		return int(b[i/2] >> 4)
	}
	return int(b[i/2] & 15)
}

type point struct{ x, y float64 }

// levelsOrFlat stands in for a document whose fingerprint is not known yet: a straight line.
func levelsOrFlat(levels []int) []int {
	if len(levels) == columns {
		return levels
	}
	flat := make([]int, columns)
	for i := range flat {
		flat[i] = 2
	}
	return flat
}

// lineA is the document's own line, over the twelve columns.
func lineA(levels []int) string { return rounded(steps(levels, 0, columns, 0)) }

// lineB is the parallel that a signature writes, between two column borders.
func lineB(levels []int, from, to int) string { return rounded(steps(levels, from, to, indentGap)) }

// ruleA and ruleB make one more step after the last column and run on as a straight rule.
func ruleA(levels []int) string { return rounded(withRule(levels, 0)) }
func ruleB(levels []int) string { return rounded(withRule(levels, indentGap)) }

func withRule(levels []int, gap float64) []point {
	pts := steps(levels, 0, columns, gap)
	y := pts[len(pts)-1].y
	x := border(columns*columnWidth, y-gap, ruleLevel, gap)
	pts[len(pts)-1].x = x
	return append(pts, point{x, ruleLevel + gap}, point{ruleWidth, ruleLevel + gap})
}

// border is where the line goes up or down at a column's edge. For the parallel it moves
// towards the side the step opens to, so that the distance stays the same all along.
func border(x, y, next, gap float64) float64 {
	switch {
	case next > y:
		return x - gap
	case next < y:
		return x + gap
	}
	return x
}

// steps is the line from one column border to another. A part that does not begin at the
// left edge begins on the level it comes from, at the border, so that parts join.
func steps(levels []int, from, to int, gap float64) []point {
	y := func(i int) float64 { return indentTop + levelStep*float64(levels[i]) }
	at := func(i int) float64 { // x of border i
		if i == 0 || i == columns {
			return float64(i) * columnWidth
		}
		return border(float64(i)*columnWidth, y(i-1), y(i), gap)
	}
	start := from
	if from > 0 {
		start = from - 1
	}
	pts := append(make([]point, 0, 2*columns+2), point{at(from), y(start) + gap})
	for i := from; i < to; i++ {
		if i > 0 && levels[i] != levels[i-1] {
			pts = append(pts, point{at(i), y(i-1) + gap}, point{at(i), y(i) + gap})
		}
	}
	pts = append(pts, point{at(to), y(to-1) + gap})
	return distinct(pts)
}

func distinct(pts []point) []point {
	out := pts[:1]
	for _, p := range pts[1:] {
		if p != out[len(out)-1] {
			out = append(out, p)
		}
	}
	return out
}

// rounded draws right-angled points as a path whose corners are rounded by at most half
// of the shorter side.
func rounded(pts []point) string {
	var room [1024]byte // so that only the result is allocated
	b := xy(append(room[:0], 'M'), pts[0])
	for i := 1; i < len(pts)-1; i++ {
		before, at, after := pts[i-1], pts[i], pts[i+1]
		r := min(cornerMost, distance(before, at)/2, distance(at, after)/2)
		b = xy(append(b, 'L'), towards(at, before, r))
		b = xy(append(b, 'Q'), at)
		b = xy(append(b, ' '), towards(at, after, r))
	}
	if len(pts) > 1 {
		b = xy(append(b, 'L'), pts[len(pts)-1])
	}
	return string(b)
}

func distance(a, b point) float64 {
	dx, dy := a.x-b.x, a.y-b.y
	return max(dx, -dx) + max(dy, -dy)
}

func towards(from, to point, r float64) point {
	d := distance(from, to)
	if d == 0 {
		return from
	}
	return point{from.x + (to.x-from.x)*r/d, from.y + (to.y-from.y)*r/d}
}

func xy(b []byte, p point) []byte { return num(append(num(b, p.x), ' '), p.y) }

// num writes whole numbers and halves, which most are, the short way.
func num(b []byte, v float64) []byte {
	switch n := int64(v); {
	case float64(n) == v:
		return strconv.AppendInt(b, n, 10)
	case v > 0 && v-float64(n) == 0.5:
		return append(strconv.AppendInt(b, n, 10), ".5"...)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}
