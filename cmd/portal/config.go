package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"countersign/people"
)

// config is all configuration. Every variable may also be given as NAME_FILE with the
// path of a file that holds the value, which is the way for secrets.
type config struct {
	Listen       string        `env:"LISTEN" envDefault:"127.0.0.1:8080"`
	BaseURL      string        `env:"BASE_URL,required"`                                    // as browsers see the site, without a path
	DatabaseURL  string        `env:"DATABASE_URL" envDefault:"sqlite:data/countersign.db"` // sqlite:PATH or postgres://…
	BlobDir      string        `env:"BLOB_DIR" envDefault:"data/blobs"`
	MasterKey    secret        `env:"MASTER_KEY,required"` // 32 bytes, base64; older keys may follow, separated by commas
	CookieKey    secret        `env:"COOKIE_KEY,required"` // 32 bytes or more, base64; older keys may follow
	CookieSuffix string        `env:"COOKIE_SUFFIX"`       // to run two sites on one host
	Proxies      []string      `env:"TRUSTED_PROXIES"`     // prefixes whose X-Forwarded-For counts
	DrainTime    time.Duration `env:"DRAIN_TIME" envDefault:"30s"`
	LogLevel     string        `env:"LOG_LEVEL" envDefault:"info"`

	Organization string  `env:"ORGANIZATION" envDefault:"your organisation"`
	BrandName    string  `env:"BRAND_NAME" envDefault:"Countersign"`
	BrandHue     float64 `env:"BRAND_HUE" envDefault:"266"`
	BrandChroma  float64 `env:"BRAND_CHROMA" envDefault:"0.165"`
	HelpEmail    string  `env:"HELP_EMAIL"`

	Issuer       string        `env:"OIDC_ISSUER,required"`
	ClientID     string        `env:"OIDC_CLIENT_ID,required"`
	ClientSecret secret        `env:"OIDC_CLIENT_SECRET"`
	RoleClaim    string        `env:"OIDC_ROLE_CLAIM" envDefault:"roles"` // path with dots, e.g. realm_access.roles
	SignerRole   []string      `env:"OIDC_SIGNER_ROLES" envDefault:"signer"`
	AdminRole    []string      `env:"OIDC_ADMIN_ROLES" envDefault:"admin"`
	AuditorRole  []string      `env:"OIDC_AUDITOR_ROLES" envDefault:"auditor"`
	Scopes       []string      `env:"OIDC_SCOPES" envDefault:"openid,profile,email,phone"`
	IdleTime     time.Duration `env:"SESSION_IDLE" envDefault:"15m"`
	SessionTime  time.Duration `env:"SESSION_ABSOLUTE" envDefault:"8h"`

	DTMURL          string `env:"DTM_URL,required"` // https://HOST, without /documentmanager
	DTMKey          secret `env:"DTM_API_KEY,required"`
	DTMClientID     string `env:"DTM_CLIENT_ID,required"`
	DTMClientSecret secret `env:"DTM_CLIENT_SECRET,required"`
	DTMAccount      string `env:"DTM_ACCOUNT_ID,required"`
	DTMOrganization string `env:"DTM_ORGANIZATION_ID"`
	DTMBasic        string `env:"DTM_PROFILE_BASIC" envDefault:"vp-basic"`       // validation profile
	DTMAdvanced     string `env:"DTM_PROFILE_ADVANCED" envDefault:"vp-advanced"` // validation profile
	DTMSuspend      bool   `env:"DTM_CAN_SUSPEND"`                               // the service has the two assumed calls

	Roots         string        `env:"TRUST_ROOTS"`                        // PEM file of the roots that verifying trusts
	MaxUpload     int64         `env:"MAX_UPLOAD" envDefault:"1073741824"` // bytes
	MaxVerify     int64         `env:"MAX_VERIFY" envDefault:"104857600"`  // bytes
	QuotaBytes    int64         `env:"QUOTA_BYTES" envDefault:"10737418240"`
	QuotaFiles    int           `env:"QUOTA_FILES" envDefault:"1000"`
	ApprovalHold  time.Duration `env:"APPROVAL_HOLD" envDefault:"5m"` // how long an approval can be undone
	LookEvery     time.Duration `env:"LOOK_EVERY" envDefault:"2s"`
	UsualBasic    string        `env:"USUAL_BASIC" envDefault:"a few minutes"`
	UsualAdvanced string        `env:"USUAL_ADVANCED" envDefault:"a few hours"`

	SMTP     secret `env:"SMTP_URL"` // smtp://user:password@host:port; empty: see MAILBOX_URL
	MailFrom string `env:"MAIL_FROM" envDefault:"countersign@localhost"`
	Mailbox  string `env:"MAILBOX_URL"` // a simulator's mailbox that takes mails over HTTP; for demo and tests only

	DemoMail  string `env:"DEMO_MAIL_URL"` // links to the simulator's pages; for demo and tests only
	DemoPhone string `env:"DEMO_PHONE_URL"`
}

// secret does not show itself in a log or a printed configuration.
type secret string

func (secret) String() string   { return "[redacted]" }
func (secret) GoString() string { return "[redacted]" }

// readConfig reports all problems together.
func readConfig(environ map[string]string) (config, error) {
	var c config
	problems := readFiles(environ)
	problems = append(problems, named(env.ParseWithOptions(&c, env.Options{Environment: environ}))...)
	for name, u := range map[string]string{"BASE_URL": c.BaseURL, "OIDC_ISSUER": c.Issuer, "DTM_URL": c.DTMURL} {
		if p, err := url.Parse(u); u != "" && (err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https") {
			problems = append(problems, fmt.Errorf("%s must be an http or https address", name))
		}
	}
	if p, err := url.Parse(c.BaseURL); err == nil && strings.Trim(p.Path, "/") != "" {
		problems = append(problems, errors.New("BASE_URL must have no path"))
	}
	c.BaseURL, c.DTMURL = strings.TrimSuffix(c.BaseURL, "/"), strings.TrimSuffix(c.DTMURL, "/")
	if _, err := keys(c.MasterKey, 32, 32); c.MasterKey != "" && err != nil {
		problems = append(problems, fmt.Errorf("MASTER_KEY: %w", err))
	}
	if _, err := keys(c.CookieKey, 32, 64); c.CookieKey != "" && err != nil {
		problems = append(problems, fmt.Errorf("COOKIE_KEY: %w", err))
	}
	for _, p := range c.Proxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			problems = append(problems, fmt.Errorf("TRUSTED_PROXIES: %q is not a prefix like 10.0.0.0/8", p))
		}
	}
	if c.BrandChroma < 0 || c.BrandChroma > 0.2 {
		problems = append(problems, errors.New("BRAND_CHROMA must be between 0 and 0.2"))
	}
	if c.Mailbox != "" && !loopback(c.Mailbox) || c.DemoMail != "" && !loopback(c.DemoMail) {
		problems = append(problems, errors.New("MAILBOX_URL and DEMO_MAIL_URL are for the simulator on this machine only"))
	}
	return c, errors.Join(problems...)
}

// named tells problems by the variable, where the library tells the field of the struct.
func named(err error) (problems []error) {
	var all env.AggregateError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &all):
		return []error{err}
	}
	for _, err := range all.Errors {
		var p env.ParseError
		if errors.As(err, &p) {
			if field, ok := reflect.TypeFor[config]().FieldByName(p.Name); ok {
				name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
				err = fmt.Errorf("%s: %w", name, p.Err)
			}
		}
		problems = append(problems, err)
	}
	return problems
}

// readFiles replaces NAME_FILE by the content of the file it names.
func readFiles(environ map[string]string) (problems []error) {
	for name, path := range environ {
		target, ok := strings.CutSuffix(name, "_FILE")
		if !ok || path == "" || environ[target] != "" || !strings.HasSuffix(target, "KEY") && !strings.HasSuffix(target, "SECRET") && !strings.HasSuffix(target, "URL") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		environ[target] = strings.TrimSpace(string(text))
	}
	return problems
}

// keys decodes a comma-separated list of base64 keys, newest first.
func keys(list secret, least, most int) ([][]byte, error) {
	var out [][]byte
	for _, text := range strings.Split(string(list), ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, errors.New("not base64")
		}
		if len(key) < least || len(key) > most {
			return nil, fmt.Errorf("a key of %d bytes, not of %d to %d", len(key), least, most)
		}
		out = append(out, key)
	}
	return out, nil
}

func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// origin of an address: scheme://host.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// roleMap is which value of the role claim gives which role.
func (c config) roleMap() map[string]people.Role {
	m := map[string]people.Role{}
	for role, values := range map[people.Role][]string{people.Signer: c.SignerRole, people.Admin: c.AdminRole, people.Auditor: c.AuditorRole} {
		for _, v := range values {
			m[v] = role
		}
	}
	return m
}

// environment is the process's, as a map.
func environment() map[string]string {
	m := map[string]string{}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok {
			m[name] = value
		}
	}
	return m
}
