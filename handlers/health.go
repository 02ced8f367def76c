package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Health looks whether the parts the portal stands on answer; cmd/portal has one.
type Health interface {
	// Problems names what does not work, by part; none when all is well.
	Problems(ctx context.Context) map[string]string
	// Warnings names work that waits longer than it should, though pages can be served.
	Warnings(ctx context.Context) map[string]string
}

// healthy says that the process serves; it looks at nothing else.
func (a *App) healthy(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	_, err := w.Write([]byte("ok\n"))
	return err
}

// ready says whether pages can be served, and what is wrong when not.
func (a *App) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	problems, warnings := a.Health.Problems(ctx), map[string]string{}
	if len(problems) == 0 {
		warnings = a.Health.Warnings(ctx)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	if len(problems) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	return json.NewEncoder(w).Encode(map[string]any{"ready": len(problems) == 0, "problems": problems, "warnings": warnings})
}
