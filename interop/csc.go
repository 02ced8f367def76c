package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"countersign/pades"
)

// far is a simulator of its own, the program as anybody would start it.
type far struct {
	cmd  *exec.Cmd
	base string
}

const (
	farKey     = "interop-api-key"
	farClient  = "interop"
	farSecret  = "interop-secret"
	farAccount = "6f1c0d9e-0000-4000-8000-000000000001"
	farOrg     = "0a9b8c7d-0000-4000-8000-000000000002"
)

func (t *tools) startFar(ctx context.Context) (*far, error) {
	program := filepath.Join(t.cache, "dtmsim")
	if err := loud(ctx, "go", "build", "-o", program, "./cmd/dtmsim"); err != nil {
		return nil, err
	}
	f := &far{cmd: exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-fast-keys", "-issuance-delay", "0", "-api-key", farKey,
		"-client-id", farClient, "-client-secret", farSecret, "-account", farAccount, "-organization", farOrg)}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if f.base, _, _ = strings.Cut(strings.TrimPrefix(line, "simulator on "), " "); err != nil || !strings.HasPrefix(f.base, "http://") {
		f.stop()
		return nil, fmt.Errorf("the simulator says %q: %w", line, err)
	}
	return f, nil
}

func (f *far) stop() {
	_ = f.cmd.Process.Kill() // it may be gone
	_ = f.cmd.Wait()
}

// call sends JSON, or a form, and reads JSON; nothing to send makes it a GET.
func (f *far) call(ctx context.Context, path string, in, out any) error {
	method, body, kind := http.MethodGet, io.Reader(nil), ""
	switch v := in.(type) {
	case nil:
	case url.Values:
		method, body, kind = http.MethodPost, strings.NewReader(v.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		method, body, kind = http.MethodPost, bytes.NewReader(text), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, method, f.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("x-api-key", farKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		return fmt.Errorf("%s answered %d: %s %w", path, resp.StatusCode, text, err)
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, out)
}

// credential makes a person with a credential that needs no factor.
func (f *far) credential(ctx context.Context, profile, name string) error {
	var user struct{ ID string }
	if err := f.call(ctx, "/documentmanager/api/v1/user", map[string]any{"user_name": name, "email": name + "@example.test", "first_name": "Ada", "last_name": "Example",
		"user_type": "standard", "accounts": []string{farAccount}, "roles": []string{"DSM_DOCUMENT_SIGNER"}, "is_pipl_accepted": true, "is_tou_accepted": true, "locale": "en_US"}, &user); err != nil {
		return err
	}
	return f.call(ctx, "/documentmanager/api/v2/credential", map[string]string{"user_id": user.ID, "account_id": farAccount, "org_id": farOrg,
		"certificate_profile_id": profile, "nickname": name}, &struct{}{})
}

type cscJob struct {
	Name       string `json:"name"`
	Credential string `json:"credential"`
	Count      int    `json:"count"`
	PSS        bool   `json:"pss"`
}

// csc lets pyHanko's client of the CSC API sign through the simulator: one document, and
// three under one authorization. pyHanko and pades judge, and the simulator's ledger tells
// how often it was asked.
func (t *tools) csc(ctx context.Context, k *kit) ([]verdict, error) {
	f, err := t.startFar(ctx)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	var jobs []cscJob
	for _, kind := range []struct {
		name, profile string
		pss           bool
	}{{"rsa", "cp-rsa3072", false}, {"pss", "cp-rsa2048", true}, {"p256", "cp-p256", false}} {
		for _, count := range []int{1, 3} {
			name := fmt.Sprintf("%s-of-%d", kind.name, count)
			if err := f.credential(ctx, kind.profile, name); err != nil {
				return nil, err
			}
			jobs = append(jobs, cscJob{name, name, count, kind.pss})
		}
	}
	var token struct {
		Value string `json:"access_token"`
	}
	if err := f.call(ctx, "/account/api/v1/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {farClient}, "client_secret": {farSecret}}, &token); err != nil {
		return nil, err
	}
	var roots []byte
	if err := f.call(ctx, "/sim/v1/roots.pem", nil, &roots); err != nil {
		return nil, err
	}
	rootFile := filepath.Join(k.folder, "csc-root.pem")
	if err := os.WriteFile(rootFile, roots, 0o600); err != nil {
		return nil, err
	}
	order, err := json.Marshal(map[string]any{"service": f.base + "/documentmanager", "token": token.Value, "root": rootFile, "tsa": f.base + "/tsa",
		"plain": k.path("plain"), "folder": k.folder, "jobs": jobs})
	if err != nil {
		return nil, err
	}
	made, err := ask(ctx, []string{string(order)}, t.python, filepath.Join(t.here, "pyhanko", "csc.py"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	out := make([]verdict, 0, len(made)+len(jobs))
	want := 0
	for _, m := range made {
		out = append(out, verdict{m.Name, m.Error}, verdict{m.Name + " by pades", passes(ctx, m.File, pool)})
	}
	for _, j := range jobs {
		want += j.Count
		out = append(out, verdict{j.Name + " in the ledger", f.counted(ctx, j)})
	}
	if len(made) != want {
		return nil, fmt.Errorf("%d files, not %d", len(made), want)
	}
	return out, nil
}

// passes is why a file is not good; empty when it is.
func passes(ctx context.Context, path string, roots *x509.CertPool) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	r, err := pades.Verify(ctx, bytes.NewReader(text), int64(len(text)), pades.VerifyOptions{Roots: roots})
	if err != nil {
		return err.Error()
	}
	if len(r.Signatures) != 1 || r.Signatures[0].Indication != pades.TotalPassed || r.Signatures[0].Level != "B-T" {
		return fmt.Sprintf("%+v", r.Signatures)
	}
	return ""
}

// counted holds the simulator's ledger against a job: one authorization, all of its signatures.
func (f *far) counted(ctx context.Context, j cscJob) string {
	var ledger []struct {
		Kind, Credential string
		Signatures       int
	}
	if err := f.call(ctx, "/sim/v1/ledger", nil, &ledger); err != nil {
		return err.Error()
	}
	sads, signed := 0, 0
	for _, e := range ledger {
		switch {
		case e.Credential != j.Credential:
		case e.Kind == "sad_issued":
			sads++
		case e.Kind == "signed":
			signed += e.Signatures
		}
	}
	if sads != 1 || signed != j.Count {
		return fmt.Sprintf("%d authorizations and %d signatures", sads, signed)
	}
	return ""
}
