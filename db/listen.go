package db

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// listener holds the one connection on which this process hears PostgreSQL's
// notifications.
type listener struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (l *listener) stop() {
	l.cancel()
	<-l.done
}

// startListener listens until stopped and connects again when the connection breaks,
// then wakes every subscriber: what was announced in between is not told again.
func startListener(cfg *pgx.ConnConfig, h *hub, log *slog.Logger) *listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, 30*time.Second) {
			began := time.Now()
			err := listenOnce(ctx, cfg, h)
			if ctx.Err() != nil {
				return
			}
			if time.Since(began) > time.Minute {
				wait = time.Second
			}
			log.Warn("the connection that hears changes broke", "error", err, "again_in", wait)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}()
	return l
}

func listenOnce(ctx context.Context, cfg *pgx.ConnConfig, h *hub) error {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(end)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	h.all()
	for {
		n, err := next(ctx, conn)
		if err != nil {
			return err
		}
		if n != nil {
			h.announce([]string{n.Payload})
		}
	}
}

// next waits a minute for a notification. After a silent minute it asks the server for a
// sign of life: a connection that a firewall dropped says nothing by itself.
func next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n, err := conn.WaitForNotification(wait)
	if err == nil || ctx.Err() != nil || wait.Err() == nil {
		return n, err
	}
	alive, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return nil, conn.Ping(alive)
}
