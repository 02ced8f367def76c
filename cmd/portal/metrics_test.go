package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"countersign/db"
)

// running starts the site in these surroundings, with the settings changed.
func (s *surroundings) running(t *testing.T, pairs ...string) (site *served, address string) {
	t.Helper()
	settings := maps.Clone(s.settings)
	settings["LISTEN"] = freeAddress(t)
	for i := 0; i < len(pairs); i += 2 {
		settings[pairs[i]] = pairs[i+1]
	}
	cmd := exec.Command(program, "serve")
	cmd.Env, cmd.Dir = environment(settings), t.TempDir()
	site = start(t, cmd)
	site.ready(t, settings["LISTEN"])
	return site, settings["LISTEN"]
}

func fetch(t *testing.T, address string) (status int, body string) {
	t.Helper()
	answer, err := http.Get(address)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

func TestMetricsAreServedOnAnAddressOfTheirOwn(t *testing.T) {
	s := newSurroundings(t)
	metrics := freeAddress(t)
	site, address := s.running(t, "METRICS_LISTEN", metrics, "LOOK_EVERY", "200ms")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/", "/help", "/login", "/documents/canary-of-an-id", "/canary/of/a/path", "/auth/callback?code=canary-code&state=x"} {
		answer, err := client.Get("http://" + address + path)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	var text string
	require.Eventually(t, func() bool {
		_, text = fetch(t, "http://"+metrics+"/metrics")
		return strings.Contains(text, `countersign_job_runs_total{kind="number-audit",outcome="done"}`)
	}, 15*time.Second, 50*time.Millisecond)
	for _, line := range []string{
		`countersign_http_requests_total{method="GET",route="/documents/{id}",status="3xx"} 1`,
		`countersign_http_requests_total{method="GET",route="other",status="4xx"} 1`,
		`countersign_http_requests_total{method="GET",route="/{$}",status="2xx"} 1`,
		`countersign_http_request_duration_seconds_count{method="GET",route="/help",status="2xx"} 1`,
		`countersign_http_requests_in_flight 0`,
		`countersign_audit_oldest_unnumbered_seconds `,
		`countersign_waiting{what="mail"} 0`,
		`countersign_waiting{what="overdue"} 0`,
		`countersign_work_waiting{kind="finishing"} 0`,
		`countersign_work_late{kind="stopped"} 0`,
		`countersign_work_oldest_seconds{kind="failingjob"} 0`,
		`countersign_job_runs_total{kind="look-again-identity",outcome="done"} `,
		`countersign_build_info{go="go1.`,
		`go_goroutines `,
		`process_resident_memory_bytes `,
	} {
		require.Contains(t, text, "\n"+line)
	}
	require.NotContains(t, text, "canary")
	hidesSecrets(t, text)

	trouble, err := promlint.New(bytes.NewReader([]byte(text))).Lint()
	require.NoError(t, err)
	require.Empty(t, trouble)

	for _, elsewhere := range []string{"http://" + address + "/metrics", "http://" + metrics + "/", "http://" + metrics + "/debug/pprof/"} {
		status, _ := fetch(t, elsewhere)
		require.Equal(t, http.StatusNotFound, status, elsewhere)
	}
	site.stop(t)
	_, err = http.Get("http://" + metrics + "/metrics")
	require.Error(t, err)
}

func TestMetricsAreOffUnlessAskedFor(t *testing.T) {
	s := newSurroundings(t)
	site, address := s.running(t)
	status, _ := fetch(t, "http://"+address+"/metrics")
	require.Equal(t, http.StatusNotFound, status)
	site.stop(t)
	require.NotContains(t, site.out.String(), `"msg":"metrics"`)

	out, code := portal(t, setting(t.TempDir(), "METRICS_LISTEN", taken(t)), "serve")
	require.Equal(t, 1, code)
	require.Contains(t, out, "METRICS_LISTEN")
}

func TestReadinessTellsOfWorkThatIsStuck(t *testing.T) {
	s := newSurroundings(t)
	store, err := db.Open(t.Context(), db.Config{URL: "sqlite:" + filepath.Join(s.folder, "portal.db")})
	require.NoError(t, err)
	for _, statement := range []string{
		`INSERT INTO outbox (id, recipient, subject, body, about, created_at, due_at, failed_at) VALUES ('m', 'canary@example.test', 'canary', 'canary', 'm', 1, 1, 9999999999999)`,
		`INSERT INTO people (id, issuer, subject, name, created_at) VALUES ('canary-person', 'i', 's', 'canary', 1)`,
		`INSERT INTO documents (id, owner, name, size, state, signed, created_at, since) VALUES ('canary-a', 'canary-person', 'canary', 1, 'ready', 1, 1, 1), ('canary-b', 'canary-person', 'canary', 1, 'ready', 1, 1, 1)`,
		`INSERT INTO extensions (id, owner, state, level, reason, created_at, since, deadline) VALUES ('canary-a', 'canary-person', 'stopped', 'B-LT', 'extend_no_answer', 1, 1, 0),
			('canary-b', 'canary-person', 'waiting', 'B-LT', 'extend_not_fresh', 9999999999999, 1, 9999999999999)`,
		`INSERT INTO river_job (args, kind, max_attempts, state, attempt, scheduled_at, metadata) VALUES ('{}', 'finish-signature', 12, 'retryable', 3, '2100-01-01 00:00:00', '{}')`,
	} {
		_, err = store.Write.Exec(statement)
		require.NoError(t, err)
	}
	require.NoError(t, store.Close())
	metrics := freeAddress(t)
	site, address := s.running(t, "METRICS_LISTEN", metrics)
	status, body := fetch(t, "http://"+address+"/readyz")
	require.Equal(t, http.StatusOK, status, "pages can be served all the same")
	var told struct {
		Ready    bool
		Warnings map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(body), &told))
	require.True(t, told.Ready)
	require.Equal(t, map[string]string{"mail": "mails given up: 1", "retries": "jobs tried three times or more in vain: 1",
		"work": "waits longer than it should: stopped 1, extending 1; see /work"}, told.Warnings)
	require.NotContains(t, body, "canary")
	_, text := fetch(t, "http://"+metrics+"/metrics")
	require.Contains(t, text, `countersign_waiting{what="mail_given_up"} 1`)
	require.Contains(t, text, `countersign_waiting{what="jobs_failing"} 1`)
	require.Contains(t, text, `countersign_work_late{kind="stopped"} 1`)
	require.Regexp(t, `countersign_work_oldest_seconds\{kind="extending"\} 1\.[0-9]+e\+09`, text)
	require.NotContains(t, text, "canary", "no id, no name")
	site.stop(t)
}

// A label that is a person, a document or a path grows without end; these are all there are.
func TestLabelsAreOfAFewKindsOnly(t *testing.T) {
	s := newSurroundings(t)
	metrics := freeAddress(t)
	site, _ := s.running(t, "METRICS_LISTEN", metrics)
	_, text := fetch(t, "http://"+metrics+"/metrics")
	known := "route method status op outcome kind object from to what le version go quantile"
	for _, m := range regexp.MustCompile(`[{,]([a-z_]+)="`).FindAllStringSubmatch(text, -1) {
		require.Contains(t, strings.Fields(known), m[1])
	}
	site.stop(t)
}
