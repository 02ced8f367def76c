package reliability

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// asked counts the calls to DTM that make something there or take a seat, word by word:
// they are the ones that must not be made twice. A person may well press twice for the rest.
type asked struct {
	mu    sync.Mutex
	calls map[string]int
}

func (a *asked) by(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := strings.TrimPrefix(r.URL.Path, "/documentmanager/api/")
		if what != r.URL.Path && (r.Method == http.MethodPost || strings.HasSuffix(what, "/approve")) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // it died while it asked
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			a.mu.Lock()
			if a.calls == nil {
				a.calls = map[string]int{}
			}
			a.calls[r.Method+" "+what+" "+string(body)]++
			a.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// twice answers what was asked for more than once, and how much was asked for.
func (a *asked) twice() (twice map[string]int, all int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all = len(a.calls)
	twice = maps.Clone(a.calls)
	maps.DeleteFunc(twice, func(_ string, n int) bool { return n < 2 })
	return twice, all
}
