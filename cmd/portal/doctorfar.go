package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
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
	if doc.Keys != "" {
		d.providerKeys(ctx, f, doc.Keys)
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
	if f.Level == ok {
		f.say(ok, "the provider at %s has all that signing in and out needs.", doc.Issuer)
	}
}

// providerKeys are what tokens are checked with (RFC 7517).
func (d *doctor) providerKeys(ctx context.Context, f *finding, address string) {
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			Use  string `json:"use"`
		} `json:"keys"`
	}
	if err := d.getJSON(ctx, address, &set); err != nil {
		f.say(bad, "the provider's keys cannot be read (%s); no token could be checked.", cause(err))
		return
	}
	for _, k := range set.Keys {
		if (k.Type == "RSA" || k.Type == "EC") && k.Use != "enc" {
			return
		}
	}
	f.say(bad, "among the provider's %d keys at %s is none for RS256, PS256 or ES256; no token could be checked. Make one at the provider.", len(set.Keys), address)
}

func (d *doctor) providerNetwork(ctx context.Context, f *finding) {
	d.reach(ctx, f, place{address: origin(d.c.Issuer), setting: "OIDC_ISSUER"})
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

func (d *doctor) mailNetwork(ctx context.Context, f *finding) {
	if d.c.SMTP == "" {
		d.reach(ctx, f, place{address: origin(d.c.Mailbox), setting: "MAILBOX_URL"})
		return
	}
	u, err := url.Parse(string(d.c.SMTP))
	if err != nil {
		f.say(bad, "SMTP_URL is no address.") // an error would repeat it
		return
	}
	d.reach(ctx, f, place{address: u.Scheme + "://" + u.Host, setting: "SMTP_URL"})
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
	f.say(f.Level, "the server says hello and lets us in; nothing was sent.")
}

// clock compares ours with that of the provider, by the Date of an answer (RFC 9110, 6.6.1).
// DTM's, the clock service's and the database's are compared where they are asked.
func (d *doctor) clock(ctx context.Context, f *finding) {
	ahead, err := d.ahead(ctx, strings.TrimSuffix(d.c.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		f.say(warn, "the clock of the login provider cannot be read: %s.", cause(err))
		return
	}
	agree(f, "the login provider", ahead)
}

// agree judges how far apart two clocks are.
func agree(f *finding, name string, ahead time.Duration) {
	if ahead.Abs() > skew {
		f.say(warn, "this machine's clock and that of %s are %s apart. Let a time service set this one, or codes and tokens will be refused.", name, ahead.Abs().Round(time.Second))
		return
	}
	f.say(ok, "the clock of %s agrees with ours.", name)
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
