package templates

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// The catalogue: one file for each language but English, which is the key. A file is a
// list of go-i18n's messages; docs/translating.md tells how to add one.
//
//go:embed text.*.json
var catalogueFiles embed.FS

// forms are a message's texts by plural form; a message without a count has Other only.
type forms [plural.Many + 1]string

// speaker is a language that pages are written in.
type speaker struct {
	name    string // BCP 47
	tag     language.Tag
	printer *message.Printer
	plain   bool             // numbers below a thousand are written with ASCII digits alone
	texts   map[string]forms // by English sentence; nil for English
}

var (
	english  = newSpeaker(language.English, nil)
	speakers = append([]*speaker{english}, translations()...)
	matcher  = func() language.Matcher {
		var tags []language.Tag
		for _, s := range speakers {
			tags = append(tags, s.tag)
		}
		return language.NewMatcher(tags)
	}()
)

func newSpeaker(tag language.Tag, texts map[string]forms) *speaker {
	s := &speaker{name: tag.String(), tag: tag, printer: message.NewPrinter(tag), texts: texts}
	s.plain = s.printer.Sprint(987) == "987"
	return s
}

// whole writes a whole number. Most on a page are small, and a printer takes its time.
func (s *speaker) whole(n int64) string {
	if s.plain && n >= 0 && n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return s.printer.Sprint(n)
}

// translations reads every embedded file. One that cannot be read stops the program at its
// start, and every test with it.
func translations() []*speaker {
	names, err := fs.Glob(catalogueFiles, "text.*.json")
	if err != nil {
		panic("templates: " + err.Error())
	}
	var all []*speaker
	for _, name := range names {
		file, err := catalogueFiles.ReadFile(name)
		if err == nil {
			var s *speaker
			if s, err = readCatalogue(name, file); err == nil {
				all = append(all, s)
			}
		}
		if err != nil {
			panic("templates: " + err.Error())
		}
	}
	return all
}

// readCatalogue reads a file of messages whose name ends in ".TAG.json".
func readCatalogue(name string, file []byte) (*speaker, error) {
	read, err := i18n.ParseMessageFileBytes(file, name, nil)
	if err != nil {
		return nil, fmt.Errorf("read texts of %s: %w", name, err)
	}
	texts := make(map[string]forms, len(read.Messages))
	for _, m := range read.Messages {
		if _, twice := texts[m.ID]; twice || m.ID == "" {
			return nil, fmt.Errorf("read texts of %s: %q stands twice or is empty", name, m.ID)
		}
		texts[m.ID] = forms{plural.Other: m.Other, plural.Zero: m.Zero, plural.One: m.One, plural.Two: m.Two, plural.Few: m.Few, plural.Many: m.Many}
	}
	return newSpeaker(read.Tag, texts), nil
}

// match is the language that fits the preferences best; English when none does.
func match(preferences []string) *speaker {
	var wanted []language.Tag
	for _, p := range preferences {
		if tags, _, err := language.ParseAcceptLanguage(p); err == nil {
			wanted = append(wanted, tags...)
		}
	}
	if _, at, confidence := matcher.Match(wanted...); confidence != language.No {
		return speakers[at]
	}
	return english
}

// Languages lists what the catalogue holds, as BCP 47 tags, English first.
func Languages() []string {
	var tags []string
	for _, s := range speakers {
		tags = append(tags, s.name)
	}
	return tags
}

// whenMissing hears of each sentence a catalogue lacks; tests set it.
var whenMissing func(language, key string)

func missing(s *speaker, key string) {
	if whenMissing != nil && strings.ContainsFunc(key, func(r rune) bool { return r > ' ' }) {
		whenMissing(s.name, key)
	}
}
