package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// keys are the secrets of one demo, kept in its folder.
type keys struct{ Master, Cookie, Login, DTM, DTMClient string }

// readKeys takes up the keys in the folder, or makes them.
func readKeys(dir string) (keys, error) {
	var k keys
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return k, err
	}
	path := filepath.Join(dir, "keys.json")
	text, err := os.ReadFile(path)
	if err == nil {
		return k, json.Unmarshal(text, &k)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return k, err
	}
	for _, key := range []*string{&k.Master, &k.Cookie, &k.Login, &k.DTM, &k.DTMClient} {
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails, since Go 1.24
		*key = base64.StdEncoding.EncodeToString(b[:])
	}
	if text, err = json.Marshal(k); err != nil {
		return k, err
	}
	return k, os.WriteFile(path, text, 0o600)
}

// portal is the running child.
type portal struct {
	process *os.Process
	log     string
	ended   chan error
}

func startPortal(o options, p *ports, k keys, f *farSide) (*portal, error) {
	logPath := filepath.Join(o.data, "portal.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	child := exec.Command(o.portal, "serve") // not tied to our context: it drains on its own signal
	child.Stdout, child.Stderr = logFile, logFile
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us alone; we pass it on
	child.Env = append(os.Environ(),
		"LISTEN="+p.portalAddress(), "BASE_URL="+f.portalURL,
		"DATABASE_URL=sqlite:"+filepath.Join(o.data, "countersign.db"), "BLOB_DIR="+filepath.Join(o.data, "blobs"),
		"MASTER_KEY="+k.Master, "COOKIE_KEY="+k.Cookie, "COOKIE_SUFFIX="+strconv.Itoa(p.portal),
		"OIDC_ISSUER="+f.providerURL, "OIDC_CLIENT_ID="+clientID, "OIDC_CLIENT_SECRET="+k.Login,
		"DTM_URL="+f.simURL, "DTM_API_KEY="+k.DTM, "DTM_CLIENT_ID="+f.sim.Options().ClientID, "DTM_CLIENT_SECRET="+k.DTMClient,
		"DTM_ACCOUNT_ID="+f.sim.Options().AccountID, "DTM_ORGANIZATION_ID="+f.sim.Options().OrgID, "DTM_CAN_SUSPEND=true",
		"TRUST_ROOTS="+f.roots, "ORGANIZATION=Example BV", "APPROVAL_HOLD="+o.hold.String(), "LOOK_EVERY=1s", "DRAIN_TIME=10s",
		"MAILBOX_URL="+f.simURL, "DEMO_MAIL_URL="+f.simURL+"/mailbox", "DEMO_PHONE_URL="+f.simURL+"/phone",
	)
	child.Env = append(child.Env, given()...)
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("start the portal program: %w", err)
	}
	started := &portal{process: child.Process, log: logPath, ended: make(chan error, 1)}
	go func() { started.ended <- child.Wait() }()
	return started, nil
}

// given are the settings that whoever starts the demo may put in place of its own: another
// database, another login provider, a mail server in place of the simulator's mailbox.
func given() (all []string) {
	for _, name := range []string{"DATABASE_URL", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"} {
		if value := os.Getenv(name); value != "" {
			all = append(all, name+"="+value)
		}
	}
	if os.Getenv("SMTP_URL") != "" { // it is there already, and one of them counts
		all = append(all, "MAILBOX_URL=")
	}
	return all
}

// ready waits until the site answers that it is, at most half a minute.
func (p *portal) ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-p.ended:
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("the portal did not start (%v):\n%s", err, text)
		case <-ctx.Done():
			return errors.New("the portal did not get ready in 30 seconds; its log is " + p.log)
		case <-tick.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// stop lets the portal drain, and no longer than it says itself.
func (p *portal) stop() error {
	_ = p.process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(15 * time.Second):
		_ = p.process.Kill()
		return errors.New("the portal did not stop in time and was killed")
	}
}
