package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"countersign/dtmclient"
	"countersign/identity"
)

// csc are the calls that signing makes.
var csc = []string{"credentials/list", "credentials/info", "credentials/authorize", "credentials/sendOTP", "signatures/signHash"}

// cscNames are the ways in as CSC names them (11.1). DigiCert's certificate and key stand below CSC.
var cscNames = map[string]string{wayClient: "oauth2client", wayPerson: "oauth2code", wayRefresh: "oauth2code", wayDigest: "digest", wayBasic: "basic"}

func (d *doctor) dtmNetwork(ctx context.Context, f *finding) {
	d.reachDTM(ctx, f, d.c.at(d.c.DTMAPIAuth))
}

func (d *doctor) cscNetwork(ctx context.Context, f *finding) {
	if address := d.c.at(d.c.DTMCSCAuth); origin(address) != origin(d.c.at(d.c.DTMAPIAuth)) {
		d.reachDTM(ctx, f, address)
		return
	}
	var same finding
	if d.reachDTM(ctx, &same, d.c.at(d.c.DTMCSCAuth)); same.Level == bad {
		f.say(untried, "not tried, since it is at the place that dtm network could not reach.")
		return
	}
	f.say(ok, "the same place as the rest of DTM.")
}

func (d *doctor) reachDTM(ctx context.Context, f *finding, address string) {
	p := place{address: address, setting: "DTM_URL", rootsSetting: "DTM_TLS_ROOTS"}
	switch {
	case address == d.c.DTMURL && d.c.DTMRegion != "":
		p.setting = "DTM_REGION"
	case address != d.c.DTMURL:
		p.setting = "DTM_MTLS_URL"
	}
	carrier, err := d.c.carrier()
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	if carrier != nil {
		conn := carrier.Transport.(*http.Transport).TLSClientConfig
		p.roots, p.certificates = conn.RootCAs, conn.Certificates
		d.ownCertificates(f, conn.Certificates)
	}
	d.reach(ctx, f, p)
	if plain(address) {
		f.say(warn, "it is reached in the clear, which only a simulator may be.")
	}
}

func (d *doctor) ownCertificates(f *finding, own []tls.Certificate) {
	for _, c := range own {
		if c.Leaf != nil && d.now().Add(endsSoon).After(c.Leaf.NotAfter) {
			f.say(warn, "our own certificate for it ends on %s. Have another made, and set DTM_CLIENT_CERT.", c.Leaf.NotAfter.Format(time.DateOnly))
		}
	}
}

// api asks for what any service user may read.
func (d *doctor) api(ctx context.Context, f *finding) {
	remote := d.dtm(ctx, f)
	if remote == nil {
		return
	}
	roles, err := remote.Roles(ctx)
	if err != nil {
		refused(f, err, wayNames[d.c.DTMAPIAuth], "list roles", "Set "+strings.Join(settings(d.c.DTMAPIAuth), ", ")+" to those of a service user with the role that manages users, validations and credentials, or choose another DTM_API_AUTH.")
		return
	}
	f.say(ok, "%s is accepted and sees %d roles of Document Trust Manager.", wayNames[d.c.DTMAPIAuth], len(roles))
	if !slices.ContainsFunc(roles, func(r dtmclient.Role) bool {
		return r.ID == dtmclient.SignerRole || r.Name == dtmclient.SignerRole
	}) {
		f.differs(dtmclient.Assumption{Line: "signerRole", Path: dtmclient.SignerRole, Mark: "documented"}, "the role that new signers are given is not among them; starting an identity check may be refused.")
	}
	accounts, err := remote.Accounts(ctx)
	if err == nil && len(accounts) > 0 && !slices.ContainsFunc(accounts, func(a dtmclient.Account) bool { return a.ID == d.c.DTMAccount }) {
		f.say(warn, "DTM_ACCOUNT_ID is none of the %d accounts that it may see. Set it to the id of the one that new users belong to.", len(accounts))
	}
	seats, err := remote.Seats(ctx)
	if err != nil {
		return // told with the listings
	}
	for _, s := range seats {
		if s.Available <= 0 {
			f.say(warn, "no seat of %s is left: the next approval will be refused. Order more at DigiCert.", s.Standard)
		}
	}
}

// listings holds the first rows of each against our reading of them.
func (d *doctor) listings(ctx context.Context, f *finding) {
	remote := d.dtm(ctx, f)
	if remote == nil {
		return
	}
	var read []string
	for _, r := range remote.Readings(ctx) {
		from := dtmclient.Assumed(r.Op)
		var e *dtmclient.Error
		switch {
		case errors.As(r.Err, &e) && (e.Kind == dtmclient.NotFound || e.Status == http.StatusMethodNotAllowed):
			f.differs(from, "%s answered %d: the service has it elsewhere, or not at all.", r.Op, e.Status)
			continue
		case errors.As(r.Err, &e) && (e.Kind == dtmclient.Denied || e.Kind == dtmclient.Unauthorized):
			f.say(warn, "%s is refused (%d). Give the service user of %s the role for it.", r.Op, e.Status, strings.Join(settings(d.c.DTMAPIAuth), ", "))
			continue
		case r.Err != nil:
			f.differs(from, "%s cannot be read: %s.", r.Op, cause(r.Err))
			continue
		}
		if len(r.Lacks) > 0 {
			f.differs(from, "the rows of %s come without %s.", r.Op, strings.Join(r.Lacks, ", "))
			continue
		}
		for _, status := range r.Statuses {
			if !identity.KnowsStatus(status) {
				f.differs(from, "a validation has the status %q, which is not known here; its page will show DTM's word.", status)
			}
		}
		read = append(read, fmt.Sprintf("%s (%d)", r.Op, r.Rows))
	}
	if len(read) > 0 {
		f.say(ok, "read as expected, with the rows looked at: %s.", strings.Join(read, ", "))
	}
}

// info compares what the signing service tells of itself with what is done with it.
func (d *doctor) info(ctx context.Context, f *finding) {
	remote := d.dtm(ctx, f)
	if remote == nil {
		return
	}
	info, err := remote.Info(ctx)
	if err != nil {
		d.noInfo(ctx, f, err)
		return
	}
	d.told.info = info
	f.say(ok, "%q speaks CSC %s at %s.", info.Name, info.Specs, d.c.at(d.c.DTMCSCAuth))
	if !strings.HasPrefix(info.Specs, "1.") {
		f.say(warn, "we speak CSC 1.0.4.0 there, and know of %s only what it has in common with that. Ask DigiCert for csc/v1; no setting changes this.", info.Specs)
	}
	needed := csc
	if !d.c.NoTimestamp {
		needed = append(csc[:len(csc):len(csc)], "signatures/timestamp")
	}
	if d.c.Together < 100 {
		needed = append(needed[:len(needed):len(needed)], "credentials/extendTransaction")
	}
	if missing := without(needed, info.Methods); len(missing) > 0 {
		f.say(warn, "the signing service does not list %s; signing may not work. Ask DigiCert for it (without signatures/timestamp: NO_TIMESTAMP=true; without credentials/extendTransaction: SIGN_TOGETHER=100).", strings.Join(missing, ", "))
	}
	if name := cscNames[d.c.DTMCSCAuth]; name != "" && len(info.AuthType) > 0 && !slices.Contains(info.AuthType, name) {
		f.say(warn, "it does not offer %s, which DTM_CSC_AUTH=%s stands on, but %s. If it is refused below, choose another DTM_CSC_AUTH.", name, d.c.DTMCSCAuth, strings.Join(info.AuthType, ", "))
	}
	if ahead, known := remote.Skew(); known {
		agree(f, "DTM", ahead)
	}
}

// noInfo says what it may be that answers there.
func (d *doctor) noInfo(ctx context.Context, f *finding, err error) {
	var e *dtmclient.Error
	errors.As(err, &e)
	switch {
	case e != nil && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed):
		if specs := d.olderSpecs(ctx); specs != "" {
			f.say(bad, "there is no csc/v1, only csc/v0, which speaks CSC %s; the portal does not. Ask DigiCert for csc/v1; no setting changes this.", specs)
			return
		}
		f.say(bad, "there is no signing service at %s/documentmanager/csc/v1 (answered %d). Set DTM_URL to the host alone, as DigiCert gave it, or ask whether the account has Document Trust Manager.", d.c.at(d.c.DTMCSCAuth), e.Status)
	case e != nil && e.Kind == dtmclient.Unknown && e.Status >= 200 && e.Status < 400:
		f.say(bad, "what answers there is no signing service: %s. Most often it is a page of a proxy or of a sign-in, or DTM_URL names another host.", cause(err))
	case e != nil && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		f.say(bad, "the service refuses this machine before it is asked anything (%d). Have its address allowed at DigiCert.", e.Status)
	default:
		f.say(bad, "the signing service does not answer as it should: %s. Set DTM_URL right, or let this machine reach it.", cause(err))
	}
}

func (d *doctor) olderSpecs(ctx context.Context) string {
	carrier, err := d.c.carrier()
	if err != nil {
		return ""
	}
	remote, err := dtmclient.New(dtmclient.Config{BaseURL: d.c.at(d.c.DTMCSCAuth) + "/documentmanager", CSCVersion: "v0", API: dtmclient.ClientCertificate(), HTTP: carrier, PlainHTTP: d.c.DTMPlain})
	if err != nil {
		return ""
	}
	defer remote.Close()
	info, err := remote.Info(ctx)
	if err != nil {
		return ""
	}
	return info.Specs
}

// tokens looks at the place where access tokens are had, where the way in takes one from there.
func (d *doctor) tokens(ctx context.Context, f *finding) {
	if !slices.Contains([]string{wayClient, wayPerson, wayRefresh}, d.c.DTMCSCAuth) {
		f.say(ok, "DTM_CSC_AUTH=%s needs none from OAuth 2.0.", d.c.DTMCSCAuth)
		return
	}
	address, setting := d.c.DTMTokenURL, "DTM_TOKEN_URL"
	if address == "" {
		address = d.told.info.OAuth2
	}
	if address == "" {
		f.say(bad, "the service tells no OAuth 2.0 address. Set DTM_TOKEN_URL to the one that DigiCert gave, or choose another DTM_CSC_AUTH.")
		return
	}
	if origin(address) == origin(d.c.at(d.c.DTMCSCAuth)) {
		f.say(ok, "they are had at the same place: %s.", address)
		return
	}
	f.say(ok, "they are had elsewhere: %s.", address)
	p := place{address: origin(address), setting: setting, rootsSetting: "DTM_TLS_ROOTS"}
	if carrier, err := d.c.carrier(); err == nil && carrier != nil {
		p.roots = carrier.Transport.(*http.Transport).TLSClientConfig.RootCAs
	}
	d.reach(ctx, f, p)
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
