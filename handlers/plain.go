package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// plain is text from outside as text: half characters and NUL, which only made-up requests
// carry and PostgreSQL does not store, become the sign for what cannot be read.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// plainQuery makes the values of a query plain. One that is so already stays as it was.
func plainQuery(u *url.URL) {
	q := u.Query()
	if plainValues(q) {
		u.RawQuery = q.Encode()
	}
}

func plainValues(all url.Values) (changed bool) {
	for name, values := range all {
		for i, v := range values {
			if p := plain(v); p != v {
				all[name][i], changed = p, true
			}
		}
	}
	return changed
}

// isPlain tells of a path whether it can name anything here.
func isPlain(path string) bool {
	return utf8.ValidString(path) && !strings.Contains(path, "\x00")
}

// readForm reads a small form; its values are plain afterwards.
func readForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	plainValues(r.PostForm)
	return nil
}
