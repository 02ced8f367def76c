// Package templates draws every page from the view structs in views.go and views_desk.go.
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
	"time"

	"golang.org/x/text/feature/plural"
)

type languageKey struct{}

// WithLanguage puts the best match among the catalogue's languages into the context.
// The preferences are BCP 47 tags or whole Accept-Language values, most wanted first.
func WithLanguage(ctx context.Context, preferences ...string) context.Context {
	return context.WithValue(ctx, languageKey{}, match(preferences))
}

func speaking(ctx context.Context) *speaker {
	if s, ok := ctx.Value(languageKey{}).(*speaker); ok {
		return s
	}
	return english
}

// Language is the BCP 47 tag of the page's language, for the lang attribute.
func Language(ctx context.Context) string { return speaking(ctx).name }

// T is the sentence in the page's language. Values come in pairs, name then value, and
// stand in the sentence as {{.Name}}.
func T(ctx context.Context, sentence string, pairs ...any) string {
	return fill(speaking(ctx).sentence(sentence), pairs)
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
	return fill(s.counted(one, other, n), append([]any{"Count", s.whole(int64(n))}, pairs...))
}

// Number writes a whole number with the separators of the page's language.
func Number[I int | int64](ctx context.Context, n I) string { return speaking(ctx).whole(int64(n)) }

// sentence asks the catalogue. A sentence it does not hold is shown as it is.
func (s *speaker) sentence(key string) string {
	if s == english || key == "" {
		return key
	}
	if f, ok := s.texts[key]; ok && f[plural.Other] != "" {
		return f[plural.Other]
	}
	missing(s, key)
	return key
}

// counted chooses the form for n by the rules of the language.
func (s *speaker) counted(one, other string, n int) string {
	if s != english {
		if f, ok := s.texts[one]; ok {
			if text := f[plural.Cardinal.MatchPlural(s.tag, n%10_000_000, 0, 0, 0, 0)]; text != "" {
				return text
			}
			return f[plural.Other]
		}
		missing(s, one)
	}
	if n == 1 {
		return one
	}
	return other
}

// fill puts values into a sentence in one pass: what stands in a value is never a place for
// another one, for it may be what a visitor wrote, such as a file name.
func fill(sentence string, pairs []any) string {
	at := strings.Index(sentence, "{{.")
	if at < 0 || len(pairs) < 2 {
		return sentence
	}
	var b strings.Builder
	b.Grow(len(sentence) + 32)
	for at >= 0 {
		end := strings.Index(sentence[at:], "}}")
		if end < 0 {
			break
		}
		b.WriteString(sentence[:at])
		whole, name := sentence[at:at+end+2], sentence[at+3:at+end]
		b.WriteString(valueOf(whole, name, pairs))
		sentence = sentence[at+end+2:]
		at = strings.Index(sentence, "{{.")
	}
	b.WriteString(sentence)
	return b.String()
}

// valueOf is the value of a name; the place itself where none was given.
func valueOf(place, name string, pairs []any) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != name {
			continue
		}
		if text, ok := pairs[i+1].(string); ok {
			return text
		}
		return fmt.Sprint(pairs[i+1])
	}
	return place
}

// Catalogue gives the texts to those who write mails; see mail.Words.
type Catalogue struct{}

// Language is the best match among the catalogue's languages.
func (Catalogue) Language(reads string) string { return match([]string{reads}).name }

// Say writes a sentence in a language. A time is written as its day.
func (Catalogue) Say(language, sentence string, values map[string]any) string {
	ctx := WithLanguage(context.Background(), language)
	said := make(map[string]any, len(values))
	for name, value := range values {
		if t, ok := value.(time.Time); ok {
			value = Day(ctx, Page{Zone: time.Local}, t)
		}
		said[name] = value
	}
	return Say(ctx, sentence, said)
}
