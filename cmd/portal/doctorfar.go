package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"countersign/dtmclient"
	"countersign/grants"
)

// skew is how far apart two clocks may be. Tokens and codes stop working soon after.
const skew = time.Minute

// discovery is what is looked at of OpenID Connect Discovery 1.0, 3.
type discovery struct {
	Issuer     string   `json:"issuer"`
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Keys       string   `json:"jwks_uri"`
	End        string   `json:"end_session_endpoint"`
	PKCE       []string `json:"code_challenge_methods_supported"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	Scopes     []string `json:"scopes_supported"`
}

func (d *doctor) provider(ctx context.Context, f *finding) {
	var doc discovery
	address := strings.TrimSuffix(d.c.Issuer, "/") + "/.well-known/openid-configuration"
	if err := d.getJSON(ctx, address, &doc); err != nil {
		f.say(bad, "the provider's discovery document cannot be read: %s. Set OIDC_ISSUER right, or let this machine reach it.", cause(err))
		return
	}
	if doc.Issuer != d.c.Issuer {
		f.say(bad, "the provider calls itself %q. Set OIDC_ISSUER to exactly that.", doc.Issuer)
	}
	for name, endpoint := range map[string]string{"authorization_endpoint": doc.Authorize, "token_endpoint": doc.Token, "jwks_uri": doc.Keys} {
		if endpoint == "" {
			f.say(bad, "the provider names no %s; it cannot sign anybody in.", name)
		}
	}
	if len(doc.Algorithms) > 0 && !slices.ContainsFunc(doc.Algorithms, func(a string) bool { return slices.Contains([]string{"RS256", "PS256", "ES256"}, a) }) {
		f.say(bad, "the provider signs tokens with none of RS256, PS256 and ES256. Choose one of them at the provider.")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if doc.Keys != "" {
		if err := d.getJSON(ctx, doc.Keys, &set); err != nil || len(set.Keys) == 0 {
			f.say(bad, "the provider's keys cannot be read (%s); no token could be checked.", cause(errors.Join(errors.New("none found"), err)))
		}
	}
	if plain(d.c.Issuer) {
		f.say(warn, "the provider is reached in the clear. Set OIDC_ISSUER to https.")
	}
	if !slices.Contains(doc.PKCE, "S256") {
		f.say(warn, "the provider does not say that it takes PKCE with S256. Switch it on at the provider.")
	}
	if doc.End == "" {
		f.say(warn, "the provider names no end_session_endpoint: signing out here leaves people signed in there.")
	}
	if missing := without(d.c.Scopes, doc.Scopes); len(doc.Scopes) > 0 && len(missing) > 0 {
		f.say(warn, "the provider does not list the scopes %s. Offer them there, or take them out of OIDC_SCOPES.", strings.Join(missing, ", "))
	}
	if f.level == ok {
		f.say(ok, "the provider at %s has all that signing in and out needs.", doc.Issuer)
	}
}

// without are the values that the list does not have.
func without(values, list []string) (missing []string) {
	for _, v := range values {
		if !slices.Contains(list, v) {
			missing = append(missing, v)
		}
	}
	return missing
}

func (d *doctor) getJSON(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", address, resp.StatusCode)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s did not answer in JSON", address)
	}
	return nil
}

// csc are the calls that signing makes.
var csc = []string{"credentials/list", "credentials/info", "credentials/authorize", "credentials/sendOTP", "signatures/signHash"}

func (d *doctor) service(ctx context.Context, f *finding) {
	remote, err := remoteClient(d.c, nil, nil)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	info, err := remote.Info(ctx)
	if err != nil {
		f.say(bad, "the signing service does not answer as it should: %s. Set DTM_URL right, or let this machine reach it.", cause(err))
		return
	}
	needed := csc
	if !d.c.NoTimestamp {
		needed = append(csc[:len(csc):len(csc)], "signatures/timestamp")
	}
	if missing := without(needed, info.Methods); len(missing) > 0 {
		f.say(warn, "the signing service does not list %s; signing may not work. Ask DigiCert for it (without signatures/timestamp: NO_TIMESTAMP=true).", strings.Join(missing, ", "))
	}
	if plain(d.c.DTMURL) {
		f.say(warn, "it is reached in the clear, which only a simulator may be.")
	}
	f.say(f.level, "%q speaks CSC %s at %s.", info.Name, info.Specs, d.c.DTMURL)
}

func (d *doctor) apiKey(ctx context.Context, f *finding) {
	remote, err := remoteClient(d.c, nil, nil)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	roles, err := remote.Roles(ctx)
	if err != nil {
		refused(f, err, wayNames[d.c.DTMAPIAuth], "list roles", "Set "+strings.Join(settings(d.c.DTMAPIAuth), ", ")+" to those of a service user with the role that manages users, validations and credentials, or choose another DTM_API_AUTH.")
		return
	}
	f.say(ok, "it is accepted and sees %d roles of Document Trust Manager.", len(roles))
	seats, err := remote.Seats(ctx)
	if err != nil {
		return // not every account shows them
	}
	for _, s := range seats {
		if s.Available <= 0 {
			f.say(warn, "no seat of %s is left: the next approval will be refused. Order more at DigiCert.", s.Standard)
		}
	}
}

// client asks for something that needs a token. That the service misses the name of a user
// shows that it took the token.
func (d *doctor) client(ctx context.Context, f *finding) {
	var kept *grants.Service
	if d.c.uses(wayRefresh) {
		var done func()
		var err error
		if kept, done, err = keptGrants(ctx, d.c); err != nil {
			f.say(warn, "%s.", cause(err))
			return
		}
		defer done()
	}
	remote, err := remoteClient(d.c, kept, nil)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	_, err = remote.CredentialsList(ctx, "")
	var e *dtmclient.Error
	if err == nil || errors.As(err, &e) && e.Op == "credentials/list" && (e.Kind == dtmclient.Invalid || e.Kind == dtmclient.NotFound) {
		f.say(ok, "%s is taken by the signing service.", wayNames[d.c.DTMCSCAuth])
		return
	}
	refused(f, err, wayNames[d.c.DTMCSCAuth], "list credentials", "Set "+strings.Join(settings(d.c.DTMCSCAuth), ", ")+" anew and let it use the signing service, or choose another DTM_CSC_AUTH: the service offers "+d.offers(ctx, remote)+".")
}

// offers are the ways in that the signing service tells of itself.
func (d *doctor) offers(ctx context.Context, remote *dtmclient.Client) string {
	info, err := remote.Info(ctx)
	if err != nil || len(info.AuthType) == 0 {
		return "nothing it tells"
	}
	return strings.Join(info.AuthType, ", ")
}

// refused tells a refusal by what can be done about it.
func refused(f *finding, err error, who, what, then string) {
	var e *dtmclient.Error
	if errors.As(err, &e) {
		answer := e.Op
		if e.Status != 0 {
			answer += fmt.Sprintf(" answered %d", e.Status)
		}
		switch {
		case e.Kind == dtmclient.Unauthorized, e.Op == "oauth2/token" && e.Status >= 400 && e.Status < 500:
			f.say(bad, "%s was refused (%s). %s", who, answer, then)
			return
		case e.Kind == dtmclient.Denied:
			f.say(bad, "%s may not %s (%s). %s", who, what, answer, then)
			return
		}
	}
	f.say(bad, "%s could not be tried: %s.", who, cause(err))
}

func (d *doctor) mail(ctx context.Context, f *finding) {
	sender, err := mailSender(d.c)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	reach, can := sender.(interface{ Reach(context.Context) error })
	if !can {
		f.say(warn, "this way of sending cannot be tried.")
		return
	}
	if err := reach.Reach(ctx); err != nil {
		f.say(bad, "%s. Set SMTP_URL right, or let this machine reach the server.", cause(err))
		return
	}
	if d.c.SMTP == "" {
		f.say(warn, "the simulator's mailbox takes the mails: nobody else gets them.")
		return
	}
	if strings.HasSuffix(d.c.MailFrom, "@localhost") {
		f.say(warn, "mails come from %s, which nobody takes. Set MAIL_FROM.", d.c.MailFrom)
	}
	f.say(f.level, "the server says hello and lets us in; nothing was sent.")
}

// clock compares ours with those of the others, by the Date of an answer (RFC 9110, 6.6.1).
func (d *doctor) clock(ctx context.Context, f *finding) {
	for _, far := range []struct{ name, address string }{
		{"the login provider", strings.TrimSuffix(d.c.Issuer, "/") + "/.well-known/openid-configuration"},
		{"DTM", d.c.DTMURL + "/documentmanager/csc/v1/info"},
	} {
		ahead, err := d.ahead(ctx, far.address)
		switch {
		case err != nil:
			f.say(warn, "the clock of %s cannot be read: %s.", far.name, cause(err))
		case ahead.Abs() > skew:
			f.say(warn, "this machine's clock and that of %s are %s apart. Let a time service set this one, or codes and tokens will be refused.", far.name, ahead.Abs().Round(time.Second))
		default:
			f.say(ok, "%s agrees.", far.name)
		}
	}
}

// ahead is how far another clock is before ours.
func (d *doctor) ahead(ctx context.Context, address string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	begin := d.now()
	resp, err := d.http.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	end := d.now()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, errors.New("its answer has no date")
	}
	// The middle of the exchange; a date has whole seconds.
	return date.Add(500 * time.Millisecond).Sub(begin.Add(end.Sub(begin) / 2)), nil
}
