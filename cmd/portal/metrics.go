package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"countersign/db"
	"countersign/dtmclient"
	"countersign/handlers"
	"countersign/jobs"
	"countersign/work"
)

// meters count what happens, for Prometheus. Labels take few values by construction:
// patterns of routes, names of calls, kinds of jobs, states. None names a person, a
// document or a path.
type meters struct {
	registry                     *prometheus.Registry
	inFlight                     prometheus.Gauge
	requests, calls, runs, moves *prometheus.CounterVec
	alarms                       *prometheus.CounterVec
	took, callTook, runTook      *prometheus.HistogramVec
	failing                      *streaks
}

// Bounds of the histograms, in seconds: for pages, for a service far away that may wait for
// a person, and for work in the background.
var (
	pageBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	callBounds = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	workBounds = []float64{.01, .1, 1, 10, 60, 180}
)

func newMeters() *meters {
	m := &meters{registry: prometheus.NewRegistry(), failing: newStreaks()}
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{Name: "countersign_http_requests_in_flight", Help: "Requests being answered, open event streams among them."})
	m.requests = counter("countersign_http_requests_total", "Requests answered.", "route", "method", "status")
	m.took = histogram("countersign_http_request_duration_seconds", "Time until the answer was written, without event streams.", pageBounds, "route", "method", "status")
	m.calls = counter("countersign_dtm_calls_total", "Calls to Document Trust Manager; the outcome of those that failed is the kind of the failure.", "op", "outcome")
	m.callTook = histogram("countersign_dtm_call_duration_seconds", "Time a call to Document Trust Manager took, with its repetitions.", callBounds, "op")
	m.runs = counter("countersign_job_runs_total", "Runs of background jobs.", "kind", "outcome")
	m.runTook = histogram("countersign_job_run_duration_seconds", "Time a run of a background job took.", workBounds, "kind")
	m.moves = counter("countersign_moves_total", "Moves of documents, ceremonies and signatures from state to state.", "object", "from", "to")
	m.alarms = counter("countersign_alarms_total", "What should never happen and somebody has to look at; the log tells more.", "what")
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "countersign_build_info", Help: "Always 1; the labels tell the build.",
		ConstLabels: prometheus.Labels{"version": revision(), "go": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(m.inFlight, m.requests, m.took, m.calls, m.callTook, m.runs, m.runTook, m.moves, m.alarms, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Begin counts a request that has come.
func (m *meters) Begin() { m.inFlight.Inc() }

// End counts its answer.
func (m *meters) End(s handlers.Served) {
	m.inFlight.Dec()
	class := strconv.Itoa(s.Status/100) + "xx"
	m.requests.WithLabelValues(s.Route, s.Method, class).Inc()
	if !s.Stream {
		m.took.WithLabelValues(s.Route, s.Method, class).Observe(s.Took.Seconds())
	}
}

func (m *meters) call(op string, outcome dtmclient.Kind, took time.Duration) {
	if outcome == "" {
		outcome = "ok"
	}
	m.calls.WithLabelValues(op, string(outcome)).Inc()
	m.callTook.WithLabelValues(op).Observe(took.Seconds())
}

func (m *meters) run(kind string, outcome jobs.Outcome, took time.Duration) {
	m.runs.WithLabelValues(kind, string(outcome)).Inc()
	m.runTook.WithLabelValues(kind).Observe(took.Seconds())
	m.failing.told(kind, outcome == jobs.Done)
}

func (m *meters) move(object, from, to string) {
	if from == "" {
		from = "new"
	}
	m.moves.WithLabelValues(object, from, to).Inc()
}

func (m *meters) alarm(what string) { m.alarms.WithLabelValues(what).Inc() }

// watch adds what waits in the database, counted when somebody asks.
func (m *meters) watch(store *db.DB) { m.registry.MustRegister(backlog{store}) }

// backlog is what waits, as Prometheus reads it.
type backlog struct{ store *db.DB }

var (
	waiting      = prometheus.NewDesc("countersign_waiting", "Work that waits: mail, mail_troubled (tried in vain), mail_given_up, jobs_failing (tried three times or more), overdue (past its deadline for ten minutes). Counts stop at 1000.", []string{"what"}, nil)
	oldest       = prometheus.NewDesc("countersign_audit_oldest_unnumbered_seconds", "Age of the oldest entry of the audit log that has no place in the tree; 0 when none waits.", nil, nil)
	auditBroken  = prometheus.NewDesc("countersign_audit_broken", "1 when the last check of the whole audit log found that it does not hold, else 0.", nil, nil)
	workWaiting  = prometheus.NewDesc("countersign_work_waiting", "What waits of each kind of work, also when it may. Counts stop at 1000.", []string{"kind"}, nil)
	workLate     = prometheus.NewDesc("countersign_work_late", "Of what waits, how much waits longer than it should; the page /work lists it.", []string{"kind"}, nil)
	workOldest   = prometheus.NewDesc("countersign_work_oldest_seconds", "Age of the oldest of each kind of work that waits; 0 when none does.", []string{"kind"}, nil)
	auditChecked = prometheus.NewDesc("countersign_audit_checked_timestamp_seconds", "When the last check of the whole audit log ended, in seconds since 1970; 0: there was none.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (b backlog) Describe(to chan<- *prometheus.Desc) {
	to <- waiting
	to <- oldest
	to <- auditBroken
	to <- auditChecked
	to <- workWaiting
	to <- workLate
	to <- workOldest
}

// Collect is part of prometheus.Collector.
func (b backlog) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now := time.Now()
	found, err := b.store.Backlog(ctx, now.Add(-lateAfter))
	if err != nil {
		to <- prometheus.NewInvalidMetric(waiting, err)
		return
	}
	for what, n := range map[string]int{"mail": found.MailWaiting, "mail_troubled": found.MailTroubled, "mail_given_up": found.MailDead,
		"jobs_failing": found.JobsFailing, "overdue": found.Overdue} {
		to <- prometheus.MustNewConstMetric(waiting, prometheus.GaugeValue, float64(n), what)
	}
	age := 0.0
	if !found.AuditSince.IsZero() {
		age = max(now.Sub(found.AuditSince).Seconds(), 0)
	}
	to <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age)
	failed, at := 0.0, 0.0
	if found.AuditBroken != "" {
		failed = 1
	}
	if !found.AuditChecked.IsZero() {
		at = float64(found.AuditChecked.Unix())
	}
	to <- prometheus.MustNewConstMetric(auditBroken, prometheus.GaugeValue, failed)
	to <- prometheus.MustNewConstMetric(auditChecked, prometheus.GaugeValue, at)
	b.ages(ctx, now, to)
}

// ages are of every kind, so that a series does not come and go.
func (b backlog) ages(ctx context.Context, now time.Time, to chan<- prometheus.Metric) {
	ages, err := b.store.WorkAges(ctx, now)
	if err != nil {
		to <- prometheus.NewInvalidMetric(workWaiting, err)
		return
	}
	for _, k := range work.Kinds() {
		age := 0.0
		if oldest := ages[k].Oldest; !oldest.IsZero() {
			age = max(now.Sub(oldest).Seconds(), 0)
		}
		to <- prometheus.MustNewConstMetric(workWaiting, prometheus.GaugeValue, float64(ages[k].All), string(k))
		to <- prometheus.MustNewConstMetric(workLate, prometheus.GaugeValue, float64(ages[k].Late), string(k))
		to <- prometheus.MustNewConstMetric(workOldest, prometheus.GaugeValue, age, string(k))
	}
}

// serve answers /metrics on an address of its own until the context ends.
func (m *meters) serve(ctx context.Context, address string, log *slog.Logger) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s for METRICS_LISTEN: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 3, Timeout: 10 * time.Second,
	}))
	server := &http.Server{Handler: mux, Protocols: protocols(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(listener) }() // ends with the context
	log.Info("metrics", "address", listener.Addr().String())
	return nil
}
