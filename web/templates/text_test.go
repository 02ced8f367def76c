package templates_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/web/templates"
)

// literals are the pieces of HTML that a generated file writes as they are, per component;
// a zero byte stands where a value goes.
func literals(t *testing.T, file string) string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var b strings.Builder
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "WriteString" {
			return true
		}
		if literal, ok := call.Args[len(call.Args)-1].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			b.WriteString(text)
		} else {
			b.WriteByte(0)
		}
		return true
	})
	return b.String()
}

func TestEveryTextGoesThroughTheCatalogue(t *testing.T) {
	files, err := filepath.Glob("*_templ.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tag := regexp.MustCompile(`(?s)<[^>]*>`)
	letters := regexp.MustCompile(`[A-Za-z]{2,}`)
	spoken := regexp.MustCompile(`\b(aria-label|title|placeholder|alt|data-label)="[^"\x00]*[A-Za-z]`)
	// keys of the keyboard and names of algorithms are the same in every language
	allowed := regexp.MustCompile(`SHA-256`)
	for _, file := range files {
		html := literals(t, file)
		require.Empty(t, spoken.FindAllString(html, -1), "%s: an attribute that is read out holds text", file)
		text := allowed.ReplaceAllString(tag.ReplaceAllString(html, "\x00"), "")
		require.Empty(t, letters.FindAllString(text, -1), "%s: text outside T and N", file)
	}
}

func TestValuesStandInSentences(t *testing.T) {
	ctx := context.Background()
	require.Equal(t, "Signed by Ada", templates.T(ctx, "Signed by {{.Name}}", "Name", "Ada"))
	require.Equal(t, "Sign 1 document", templates.N(ctx, "Sign {{.Count}} document", "Sign {{.Count}} documents", 1))
	require.Equal(t, "Sign 18,204 documents", templates.N(ctx, "Sign {{.Count}} document", "Sign {{.Count}} documents", 18204))
	require.Equal(t, "3 of 10 are free.", templates.Say(ctx, "{{.Free}} of {{.All}} are free.", map[string]any{"Free": 3, "All": 10}))
}

func TestWhatAVisitorWroteIsNeverATemplate(t *testing.T) {
	for _, preference := range []string{"en", "de", "nl"} {
		ctx := templates.WithLanguage(context.Background(), preference)
		require.Equal(t, "{{.Name}} {{printf}}.pdf", templates.T(ctx, "{{.Name}} {{printf}}.pdf"))
	}
}

func TestUnknownLanguagesFallBackToEnglish(t *testing.T) {
	require.Equal(t, "en", templates.Language(templates.WithLanguage(context.Background(), "xx-??", "")))
	require.Contains(t, templates.Languages(), "en")
}

func TestTimesReadAsPeopleSayThem(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	p := templates.Page{Now: time.Date(2026, 11, 23, 14, 30, 0, 0, zone), Zone: zone}
	ctx := context.Background()
	at := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, zone) }
	require.Equal(t, "today at 13:58", templates.Near(ctx, p, at(23, 13, 58)))
	require.Equal(t, "yesterday at 16:20", templates.Near(ctx, p, at(22, 16, 20)))
	require.Equal(t, "yesterday at 23:59", templates.Near(ctx, p, at(22, 23, 59).UTC()))
	require.Equal(t, "tomorrow at 09:00", templates.Near(ctx, p, at(24, 9, 0)))
	require.Equal(t, "19\u00a0November\u00a02026", templates.Near(ctx, p, at(19, 9, 0)))
	require.Equal(t, "19\u00a0Nov\u00a02026", templates.Short(ctx, p, at(19, 9, 0)))
	require.Equal(t, "12:30, 2 hours ago", templates.Waiting(ctx, p, at(23, 12, 30)))
	require.Equal(t, "yesterday at 11:30, 27 hours ago", templates.Waiting(ctx, p, at(22, 11, 30)))
	require.Equal(t, "14:30, less than a minute ago", templates.Waiting(ctx, p, at(23, 14, 30)))
}

func TestSizesAreDecimal(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1\u00a0kB", 310_400: "310\u00a0kB", 999_400: "999\u00a0kB", 999_600: "1\u00a0MB",
		2_412_000: "2.4\u00a0MB", 48_000_000: "48\u00a0MB", 1_000_000_000: "1\u00a0GB", 1_500_000_000_000: "1.5\u00a0TB",
	} {
		require.Equal(t, want, templates.Size(context.Background(), bytes))
	}
}

func TestEntriesAreToldInThePast(t *testing.T) {
	require.Equal(t, "approved the identity check", templates.Sentence(audit.Entry{Action: "validation.approve", Outcome: audit.Done}))
	require.Equal(t, "was not allowed to approve the identity check", templates.Sentence(audit.Entry{Action: "validation.approve", Outcome: audit.Refused}))
	require.Equal(t, "reported: In review", templates.Sentence(audit.Entry{Object: "validation", Action: "validation.observe", To: "in_review", Outcome: audit.Observed}))
	require.Equal(t, "did “some new thing”", templates.Sentence(audit.Entry{Action: "some.new_thing", Outcome: audit.Done}))
}
