package templates

import (
	"context"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Report says a sentence of the verifier (package pades, which is English, for the command
// line and for logs as well) in the page's language. Sentences with values are found by the
// patterns below; one that nothing fits stays English. A test holds the list against the
// sentences in the verifier's source.
func Report(ctx context.Context, text string) string {
	s := speaking(ctx)
	if s == english || text == "" {
		return text
	}
	if f, ok := s.texts[text]; ok && f[0] != "" {
		return f[0]
	}
	for _, p := range reportPatterns {
		if values := p.match(text); values != nil {
			for i := 1; i < len(values); i += 2 {
				values[i] = reportValue(ctx, values[i-1].(string), values[i].(string))
			}
			return T(ctx, p.key, values...)
		}
	}
	missing(s, text)
	return text
}

// algorithm is a signature's algorithm in words: "RSA 2048 with SHA-256".
func algorithm(ctx context.Context, text string) string {
	if key, hash, ok := strings.Cut(text, " with "); ok {
		return T(ctx, "{{.Key}} with {{.Hash}}", "Key", key, "Hash", hash)
	}
	return text
}

// reportValue is what stands in a sentence of the verifier, by the name the pattern gives it.
func reportValue(ctx context.Context, name, value string) string {
	switch name {
	case "Why": // a sentence of its own, or a part of one
		return Report(ctx, stop(strings.ToUpper(value[:1])+value[1:]))
	case "Date":
		return reportDate(ctx, value)
	case "Algorithm":
		return algorithm(ctx, value)
	case "Size":
		number, unit, _ := strings.Cut(value, nbsp)
		if n, err := strconv.ParseFloat(number, 64); err == nil {
			return decimals(ctx, n, strings.Contains(number, ".")) + nbsp + strings.Replace(unit, "bytes", T(ctx, "bytes"), 1)
		}
	case "Added":
		parts := strings.Split(value, ", ")
		for i := range parts {
			parts[i] = Report(ctx, parts[i])
		}
		return strings.Join(parts, ", ")
	}
	return value
}

func decimals(ctx context.Context, n float64, one bool) string {
	if one {
		return speaking(ctx).printer.Sprintf("%.1f", n)
	}
	return speaking(ctx).printer.Sprintf("%.0f", n)
}

// reportDate reads the verifier's two ways to write a time, always UTC.
func reportDate(ctx context.Context, text string) string {
	text = strings.ReplaceAll(text, nbsp, " ")
	if t, err := time.Parse("2 January 2006", text); err == nil {
		return Day(ctx, Page{}, t)
	}
	if t, err := time.Parse("2 January 2006, 15:04 UTC", text); err == nil {
		return Day(ctx, Page{}, t) + ", " + t.Format("15:04") + nbsp + "UTC"
	}
	return text
}

// reportPattern is a sentence with places, cut at them.
type reportPattern struct {
	key   string
	parts []string // one more than names
	names []string
}

// match answers names and values in turn; nil when the text is another sentence.
func (p reportPattern) match(text string) []any {
	if !strings.HasPrefix(text, p.parts[0]) {
		return nil
	}
	text = text[len(p.parts[0]):]
	values := make([]any, 0, 2*len(p.names))
	for i, name := range p.names {
		next := p.parts[i+1]
		end := strings.Index(text, next)
		if i == len(p.names)-1 { // the last one reaches to the end
			if !strings.HasSuffix(text, next) {
				return nil
			}
			end = len(text) - len(next)
		}
		if end < 1 {
			return nil
		}
		values = append(values, name, text[:end])
		text = text[end+len(next):]
	}
	return values
}

// reportPatterns, the most telling first: of two that fit, the one with more words of its own.
var reportPatterns = func() []reportPattern {
	weight := func(p reportPattern) int { return len(strings.Join(p.parts, "")) }
	var all []reportPattern
	for _, key := range reportSentences {
		p := reportPattern{key: key}
		rest := key
		for {
			before, after, found := strings.Cut(rest, "{{.")
			p.parts = append(p.parts, before)
			if !found {
				break
			}
			name, tail, _ := strings.Cut(after, "}}")
			p.names, rest = append(p.names, name), tail
		}
		all = append(all, p)
	}
	sort.SliceStable(all, func(i, j int) bool { return weight(all[i]) > weight(all[j]) })
	return all
}()
