package templates_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"countersign/web/gallery"
	"countersign/web/templates"
)

// spokenAttributes are read out, shown or put on the page by the script.
var spokenAttributes = regexp.MustCompile(`^(aria-label|title|placeholder|alt|label|data-(label|busy|waiting|ready|title|say|copied|drop|progress|left|checking|broken|too-large|page|no-text|failed))$`)

// visible are the texts of a page, each with where it stands; what is marked as another
// language is left out.
func visible(n *html.Node, found func(text, where string)) {
	if n.Type == html.TextNode {
		found(strings.Join(strings.Fields(n.Data), " "), n.Parent.Data)
		return
	}
	if n.Type == html.ElementNode {
		if n.Data == "script" || n.Data == "style" {
			return
		}
		for _, a := range n.Attr {
			if a.Key == "lang" && n.Data != "html" || a.Key == "translate" && a.Val == "no" {
				return
			}
			if spokenAttributes.MatchString(a.Key) {
				found(strings.Join(strings.Fields(a.Val), " "), n.Data+" "+a.Key)
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		visible(c, found)
	}
}

// names are made up for the gallery and shown as they are.
var names = regexp.MustCompile(`^(Ada Example|Ben Example|Separately: this site has a record of making this signature.)$`)

func TestNoPageShowsEnglishToSomebodyWhoReadsGerman(t *testing.T) {
	english := map[string]string{}
	german := templates.Texts("de")
	for _, k := range allKeys(t) {
		if forms := german[k.text]; forms["other"] != k.text {
			english[k.text] = k.at
		}
	}
	de := templates.WithLanguage(context.Background(), "de")
	var missing []string
	templates.OnMissing(func(_, sentence string) { missing = append(missing, sentence) })
	defer templates.OnMissing(nil)
	for _, page := range gallery.Pages() {
		missing = nil
		var b strings.Builder
		require.NoError(t, page.Render(de, &b), page.Path)
		require.Contains(t, b.String(), `<html lang="de"`, page.Path)
		for _, sentence := range missing {
			assert.Regexp(t, names, sentence, "%s: asked for in German and not there", page.Path)
		}
		root, err := html.Parse(strings.NewReader(b.String()))
		require.NoError(t, err)
		visible(root, func(text, where string) {
			assert.Empty(t, english[text], "%s, %s: %q is English", page.Path, where, text)
			assert.NotContains(t, text, "{{.", "%s, %s: a value is missing", page.Path, where)
		})
	}
}

func TestTheGalleryInEnglishIsEnglish(t *testing.T) {
	for _, page := range gallery.Pages() {
		var b strings.Builder
		require.NoError(t, page.Render(context.Background(), &b), page.Path)
		require.Contains(t, b.String(), `<html lang="en"`, page.Path)
		require.NotContains(t, b.String(), "{{.", "%s: a value is missing", page.Path)
	}
}
