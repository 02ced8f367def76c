package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"countersign/audit"
	"countersign/auth"
	"countersign/blob"
	"countersign/db"
	"countersign/grants"
	"countersign/handlers"
	"countersign/identity"
	"countersign/jobs"
	"countersign/mail"
	"countersign/signing"
	"countersign/web/templates"
	"countersign/work"
)

// serve runs the site until the context ends, then drains.
func serve(ctx context.Context) error {
	c, err := readConfig(environment())
	if err != nil {
		return fmt.Errorf("the configuration does not hold:\n%w", err)
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	if c.Roots == "" && c.Level != "B-T" {
		log.Warn("files stay at B-T: without TRUST_ROOTS nothing more can be checked", "level", c.Level)
	}
	for _, name := range unknown(environment()) {
		log.Warn("a variable that does nothing is set: there is none of this name", "variable", name)
	}
	// The collector may use four times the heap, up to what the machine gives: pages are
	// short-lived garbage.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: another program may be using the port: %w", c.Listen, err)
	}
	defer listener.Close()
	store, err := openStore(ctx, c, log)
	if err != nil {
		return err
	}
	defer store.Close()

	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	meters := newMeters()
	meters.watch(store)
	if c.MetricsListen != "" {
		if err := meters.serve(streams, c.MetricsListen, log); err != nil {
			return err
		}
	}
	site, workers, documents, err := build(streams, c, store, meters, log)
	if err != nil {
		return err
	}
	if err := workers.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the background work: %w", err)
	}
	server := &http.Server{
		Handler:           site,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		Protocols:         protocols(),
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("serving", "address", listener.Addr().String(), "base", c.BaseURL, "database", store.Dialect, "version", version())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err = <-stopped:
	case <-ctx.Done():
	}
	return errors.Join(err, drain(c, server, documents, workers, endStreams, log))
}

// afoot is what goes on after the request that began it was answered.
type afoot interface {
	Wait(ctx context.Context) error
}

type stopper interface {
	Stop(ctx context.Context) error
}

// drain lets running requests end, then what goes on after them, then jobs. A person who was asked on their
// phone may take longer than the configured time; what they then approve shall be signed.
func drain(c config, server *http.Server, documents afoot, workers stopper, endStreams context.CancelFunc, log *slog.Logger) error {
	log.Info("draining")
	endStreams()
	within := func(d time.Duration, end func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		return end(ctx)
	}
	return errors.Join(
		within(c.DrainTime, server.Shutdown),
		within(c.DrainTime+c.DTMAuthorize+2*c.DTMSign, documents.Wait),
		within(c.DrainTime, workers.Stop),
	)
}

// protocols: HTTP/1.1 only. The HTTP/2 server of the Go releases this is built with has
// known faults; see SECURITY.md.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

func logger(c config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("LOG_LEVEL: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	return log, nil
}

func openStore(ctx context.Context, c config, log *slog.Logger) (*db.DB, error) {
	store, err := db.Open(ctx, db.Config{URL: string(c.DatabaseURL), MaxConns: c.DatabaseConns, Log: log})
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

func migrate(ctx context.Context) error {
	c, err := readConfig(environment())
	if err != nil {
		return err
	}
	log, err := logger(c)
	if err != nil {
		return err
	}
	store, err := openStore(ctx, c, log)
	if err != nil {
		return err
	}
	return store.Close()
}

// build wires the parts; nothing here decides anything.
func build(streams context.Context, c config, store *db.DB, meters *meters, log *slog.Logger) (http.Handler, *jobs.Workers, *signing.Service, error) {
	queue, err := jobs.NewQueue(store)
	if err != nil {
		return nil, nil, nil, err
	}
	store.UseQueue(queue)
	roots, err := readRoots(c.Roots)
	if err != nil {
		return nil, nil, nil, err
	}
	master, err := c.master()
	if err != nil {
		return nil, nil, nil, err
	}
	kept := c.grants(store, master, meters.alarm, log)
	remote, err := remoteClient(c, kept, meters.call)
	if err != nil {
		return nil, nil, nil, err
	}
	kept.Remote = remote
	folder, err := blob.Folder(c.BlobDir)
	if err != nil {
		return nil, nil, nil, err
	}
	bytes := blob.NewStore(folder, master)
	checks := identity.NewService(identity.Options{
		Store: store.Identity(), Remote: remote, Log: log, ApprovalHold: c.ApprovalHold, Approvals: c.Approvals, WarnBefore: c.warnBefore(), AccountID: c.DTMAccount, OrganizationID: c.DTMOrganization,
		ValidationProfiles: map[identity.Standard]string{identity.Basic: c.DTMBasic, identity.AdvancedPlus: c.DTMAdvanced},
		PortalURL:          c.BaseURL, Words: templates.Catalogue{}, CanSuspend: c.DTMSuspend,
		Reached: reached[identity.Point](),
	})
	var builder signing.Builder
	if c.BuiltBy == "dtm" {
		builder = remote
	}
	var inPerson signing.Persons
	var connecting *grants.Service
	if c.DTMCSCAuth == wayPerson {
		kept.Credentials, kept.Reachable = activeNames(checks), reachable(remote)
		inPerson, connecting = persons{remote, kept}, kept
	}
	documents := signing.NewService(signing.Options{
		Persons: inPerson,
		Store:   store.Signing(), Remote: remote, Credentials: credentials{checks}, Blobs: blobs{bytes}, Log: log,
		MaxBytes: c.MaxUpload, Quota: signing.Quota{Bytes: c.QuotaBytes, Files: c.QuotaFiles}, Roots: roots, PortalURL: c.BaseURL, Words: templates.Catalogue{},
		AuthorizeWait: c.DTMAuthorize, Limits: signing.Limits{LocksAfter: c.DTMLocksAfter}, SignWait: 2 * c.DTMSign, NoTimestamp: c.NoTimestamp, SignTogether: c.Together, WithoutClock: c.LateClock, NeedRevocation: c.NeedRevoked, Skew: remote.Skew, Observe: meters.move, Reached: reached[signing.Point](), Alarmed: meters.alarm,
		OAuth: c.oauth(), Level: c.Level, Fetch: evidenceFetcher(c), Builder: builder,
	})
	login, err := signIn(c, store, log)
	if err != nil {
		return nil, nil, nil, err
	}
	sender, err := mailSender(c)
	if err != nil {
		return nil, nil, nil, err
	}
	post := mail.NewDelivery(store.Outbox(), sender, log)
	signer, err := c.auditSigner()
	if err != nil {
		return nil, nil, nil, err
	}
	tree := &audit.Tree{Store: store.AuditTree(), Signer: signer, CheckStamp: checkStamp}
	tally := &audit.Tally{Store: store.Audit(), Now: time.Now}
	go flushing(streams, tally, log)
	checker := &audit.Checker{Store: store.AuditTree(), Tree: tree, Every: 24 * time.Hour, Log: log}
	var stamper jobs.Work
	if !c.NoTimestamp {
		stamper = &audit.Stamper{Store: store.AuditTree(), Clock: clock{remote}, Every: c.AuditStamp}
	}
	workers, err := jobs.New(jobs.Config{
		DB: store, Log: log, Signing: documents, Identity: checks, LookEvery: c.LookEvery, Observe: meters.run,
		Mail: post, Tree: tree, Stamp: stamper, Check: checker, Sweep: sweeper{login, post, documents, bytes, store, kept},
	})
	if err != nil {
		return nil, nil, nil, err
	}
	app := handlers.New(streams, handlers.Config{
		Identity: checks, Signing: documents, Work: &work.Service{Store: store.Work(), Signing: documents, Now: time.Now}, Auth: login, Grants: connecting, Log: auditLog{store, tree, checker}, Tally: tally, People: store.People(), Changes: store,
		Verify: verifier{roots}, Health: parts{store, folder, &warnings{store: store, failing: meters.failing, now: time.Now}}, Meter: meters, Trouble: func(err error) string { return string(store.Trouble(err)) },
		Brand:   templates.Brand{Name: c.BrandName, Organization: c.Organization, HelpEmail: c.HelpEmail},
		BaseURL: c.BaseURL, Issuer: origin(c.Issuer), Hue: c.BrandHue, Chroma: c.BrandChroma,
		MaxBytes: c.MaxUpload, MaxVerify: c.MaxVerify, Trusted: c.Proxies,
		Usual:    map[identity.Standard]string{identity.Basic: c.UsualBasic, identity.AdvancedPlus: c.UsualAdvanced},
		DemoMail: c.DemoMail, DemoPhone: c.DemoPhone, Logger: log,
	})
	return app.Handler(), workers, documents, nil
}

func signIn(c config, store *db.DB, log *slog.Logger) (*auth.Auth, error) {
	cookieKeys, err := keys(c.CookieKey, 32, 64)
	if err != nil {
		return nil, err
	}
	return auth.New(auth.Config{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: string(c.ClientSecret),
		RedirectURL: c.BaseURL + "/auth/callback", PostLogoutURL: c.BaseURL + "/signed-out", Scopes: c.Scopes,
		RoleClaim: c.RoleClaim, RoleMap: c.roleMap(), CookieKeys: cookieKeys, CookieName: c.CookieSuffix,
		Secure: origin(c.BaseURL)[:5] == "https", Idle: c.IdleTime, Absolute: c.SessionTime, Log: log, Store: store.Auth(),
	})
}

func mailSender(c config) (mail.Sender, error) {
	switch {
	case c.SMTP != "":
		return mail.SMTP(string(c.SMTP), c.MailFrom)
	case c.Mailbox != "":
		return mail.Mailbox(c.Mailbox, c.MailFrom)
	}
	return nil, errors.New("no way to send mail is configured: set SMTP_URL")
}
