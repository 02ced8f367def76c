// Package templates draws every page from the view structs in views.go.
//
// Each page is a templ component named after its struct; the parts that change while a
// person looks are components of their own (HomeLive, CeremonyLive …) so that the event
// stream renders exactly what the page rendered. Templates ask no service for anything.
// Every text goes through T or N, where the English sentence is the key of the
// catalogue; times, sizes and states have one helper each, so they read the same everywhere.
package templates

import (
	"context"
	"fmt"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

type languageKey struct{}

// speaker is the language a page is written in.
type speaker struct {
	tag       language.Tag
	localizer *i18n.Localizer
	printer   *message.Printer
}

var (
	catalogue = i18n.NewBundle(language.English)
	english   = newSpeaker(language.English)
)

func newSpeaker(tag language.Tag) *speaker {
	return &speaker{tag: tag, localizer: i18n.NewLocalizer(catalogue, tag.String()), printer: message.NewPrinter(tag)}
}

// Languages lists what the catalogue holds, as BCP 47 tags, English first.
func Languages() []string {
	var tags []string
	for _, t := range catalogue.LanguageTags() {
		tags = append(tags, t.String())
	}
	return tags
}

// WithLanguage puts the best match among the catalogue's languages into the context.
// The preferences are BCP 47 tags or whole Accept-Language values, most wanted first.
func WithLanguage(ctx context.Context, preferences ...string) context.Context {
	var wanted []language.Tag
	for _, p := range preferences {
		tags, _, err := language.ParseAcceptLanguage(p)
		if err == nil {
			wanted = append(wanted, tags...)
		}
	}
	have := catalogue.LanguageTags()
	_, at, confidence := language.NewMatcher(have).Match(wanted...)
	if confidence == language.No || have[at] == language.English {
		return context.WithValue(ctx, languageKey{}, english)
	}
	return context.WithValue(ctx, languageKey{}, newSpeaker(have[at]))
}

func speaking(ctx context.Context) *speaker {
	if s, ok := ctx.Value(languageKey{}).(*speaker); ok {
		return s
	}
	return english
}

// Language is the BCP 47 tag of the page's language, for the lang attribute.
func Language(ctx context.Context) string { return speaking(ctx).tag.String() }

// T is the sentence in the page's language. Values come in pairs, name then value, and
// stand in the sentence as {{.Name}}.
func T(ctx context.Context, sentence string, pairs ...any) string {
	s := speaking(ctx)
	if s == english {
		return fill(sentence, pairs)
	}
	return s.localize(sentence, nil, pairs, sentence)
}

// Say is T for a sentence that came from elsewhere, with its values by name.
func Say(ctx context.Context, sentence string, values map[string]any) string {
	pairs := make([]any, 0, 2*len(values))
	for name, value := range values {
		pairs = append(pairs, name, value)
	}
	return T(ctx, sentence, pairs...)
}

// N is T for a sentence with a count, which stands in it as {{.Count}}.
func N(ctx context.Context, one, other string, n int, pairs ...any) string {
	s := speaking(ctx)
	pairs = append([]any{"Count", s.printer.Sprint(n)}, pairs...)
	sentence := other
	if n == 1 {
		sentence = one
	}
	if s == english {
		return fill(sentence, pairs)
	}
	return s.localize(one, n, pairs, sentence)
}

// Number writes a whole number with the separators of the page's language.
func Number[I int | int64](ctx context.Context, n I) string { return speaking(ctx).printer.Sprint(n) }

// localize asks the catalogue. A sentence it does not hold is shown as it is and never
// parsed as a template: it may hold what a visitor wrote, such as a file name.
func (s *speaker) localize(id string, count any, pairs []any, fallback string) string {
	data := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		data[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	out, err := s.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data, PluralCount: count})
	if err != nil || out == "" {
		return fill(fallback, pairs)
	}
	return out
}

// fill is what text/template would do with these sentences, without parsing them each time.
func fill(sentence string, pairs []any) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		sentence = strings.ReplaceAll(sentence, "{{."+fmt.Sprint(pairs[i])+"}}", fmt.Sprint(pairs[i+1]))
	}
	return sentence
}
