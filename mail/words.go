package mail

import (
	"fmt"
	"strings"
	"time"
)

// Words writes sentences in the language of the one who reads them. The English sentence
// is the key of the catalogue of texts; values stand in it as {{.Name}}. Who has the
// catalogue gives one; English does for everybody else.
type Words interface {
	// Language is the catalogue's best match, as a BCP 47 tag, for what a person reads:
	// a tag or an Accept-Language value, which may be empty.
	Language(reads string) string
	// Say writes a sentence in a language that Language answered. A time is written as its day.
	Say(language, sentence string, values map[string]any) string
}

// English is the catalogue that holds nothing: every sentence is its own key.
type English struct{}

// Language is always English.
func (English) Language(string) string { return "en" }

// Say fills the values in.
func (English) Say(_, sentence string, values map[string]any) string {
	var pairs []string
	for name, value := range values {
		text := fmt.Sprint(value)
		if t, ok := value.(time.Time); ok {
			text = t.Format("2\u00a0January\u00a02006")
		}
		pairs = append(pairs, "{{."+name+"}}", text)
	}
	return strings.NewReplacer(pairs...).Replace(sentence)
}
