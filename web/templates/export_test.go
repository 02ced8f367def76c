package templates

import (
	"context"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Forms are a message's texts by the name of the plural form.
type Forms map[string]string

var formNames = map[plural.Form]string{
	plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many",
}

// Texts are all messages of a language.
func Texts(tag string) map[string]Forms {
	all := map[string]Forms{}
	for _, s := range speakers {
		if s.name != tag {
			continue
		}
		for id, f := range s.texts {
			all[id] = Forms{}
			for form, name := range formNames {
				if f[form] != "" {
					all[id][name] = f[form]
				}
			}
		}
	}
	return all
}

// FormsOf are the plural forms that whole numbers take in a language.
func FormsOf(tag string) map[string]bool {
	used := map[string]bool{}
	for n := range 1000 {
		used[formNames[plural.Cardinal.MatchPlural(language.MustParse(tag), n, 0, 0, 0, 0)]] = true
	}
	return used
}

// WithFile puts the language of a file of texts into the context.
func WithFile(ctx context.Context, name string, file []byte) (context.Context, error) {
	s, err := readCatalogue(name, file)
	return context.WithValue(ctx, languageKey{}, s), err
}

// OnMissing hears of sentences without a translation until it is called with nil.
func OnMissing(f func(language, key string)) { whenMissing = f }
