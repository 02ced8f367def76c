package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"countersign/dtmclient"

	"countersign/audit"
)

// problem is what is wrong with one variable and what to do, without its value.
type problem struct{ variable, sentence string }

// problems are told together, in the order of the reference.
type problems []problem

func (p problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = "  " + one.variable + ": " + one.sentence
	}
	return strings.Join(lines, "\n")
}

func (p *problems) add(variable, sentence string) { *p = append(*p, problem{variable, sentence}) }

// check adds a problem unless it holds, or the variable has one already.
func (p *problems) check(holds bool, variable, sentence string) {
	if !holds && !p.has(variable) {
		p.add(variable, sentence)
	}
}

// has reports whether one of the variables has a problem.
func (p problems) has(variables ...string) bool {
	return slices.ContainsFunc(p, func(one problem) bool { return slices.Contains(variables, one.variable) })
}

// variable is one field of config, as the reference tells it.
type variable struct {
	name, group, standard, unit, help string
	required                          bool
	field                             int
}

// variables are all there are, in the order of the reference.
func variables() (all []variable) {
	group := ""
	for i, f := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		group = cmp.Or(f.Tag.Get("group"), group)
		all = append(all, variable{name: name, group: group, standard: f.Tag.Get("envDefault"), unit: f.Tag.Get("unit"),
			help: f.Tag.Get("help"), required: options == "required", field: i})
	}
	return all
}

// readConfig reports all problems together, as problems. What could be read is answered also then.
func readConfig(environ map[string]string) (config, error) {
	var c config
	var found problems
	given := readFiles(environ, &found)
	readValues(&c, given, &found)
	c.DTMURL = cmp.Or(c.DTMURL, dtmclient.Region(c.DTMRegion))
	c.BaseURL, c.DTMURL, c.DTMMTLSURL = strings.TrimSuffix(c.BaseURL, "/"), strings.TrimSuffix(c.DTMURL, "/"), strings.TrimSuffix(c.DTMMTLSURL, "/")
	for _, check := range []func(config, *problems){checkSite, checkStorage, checkLogin, checkDTM, checkDTMAuth, checkLimits, checkMail} {
		check(c, &found)
	}
	if len(found) == 0 {
		return c, nil
	}
	order := map[string]int{}
	for i, v := range variables() {
		order[v.name] = 2 * i
		order[v.name+"_FILE"] = 2*i + 1
	}
	slices.SortStableFunc(found, func(a, b problem) int { return order[a.variable] - order[b.variable] })
	return c, found
}

// readFiles puts the content of the file that NAME_FILE names into NAME. An empty value
// counts as none, since much that starts containers cannot leave a variable away.
func readFiles(environ map[string]string, found *problems) map[string]string {
	given := map[string]string{}
	for _, v := range variables() {
		value, path := environ[v.name], environ[v.name+"_FILE"]
		switch {
		case value != "" && path != "":
			found.add(v.name+"_FILE", v.name+" is set too. Keep one of them.")
		case path != "":
			text, err := readShort(path)
			if err != nil {
				found.add(v.name+"_FILE", "the file cannot be read: "+err.Error())
			}
			value = strings.TrimSpace(text)
		}
		if value != "" {
			given[v.name] = value
		}
	}
	return given
}

func readShort(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = errors.New("it is larger than 64 KiB")
	}
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = errors.New("it is empty")
	}
	return string(text), err
}

// readValues fills the fields, and tells problems by the variable, where the library tells
// the field and repeats the value.
func readValues(c *config, given map[string]string, found *problems) {
	err := env.ParseWithOptions(c, env.Options{Environment: given})
	var all env.AggregateError
	if err != nil && !errors.As(err, &all) {
		found.add("configuration", err.Error())
	}
	for _, err := range all.Errors {
		var missing env.VarIsNotSetError
		var wrong env.ParseError
		switch {
		case errors.As(err, &missing):
			if !found.has(missing.Key + "_FILE") {
				found.add(missing.Key, "it must be set.")
			}
		case errors.As(err, &wrong):
			f, _ := reflect.TypeFor[config]().FieldByName(wrong.Name)
			name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
			found.add(name, shapeOf(f.Type))
		default:
			found.add("configuration", err.Error())
		}
	}
	for _, list := range []*[]string{&c.Proxies, &c.Scopes, &c.SignerRole, &c.AdminRole, &c.AuditorRole} {
		*list = trimmed(*list)
	}
}

// trimmed are the entries of a list without the blanks that people put after commas.
func trimmed(list []string) (out []string) {
	for _, one := range list {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

func shapeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "it must be a time with its unit, such as 90s, 15m or 8h."
	case t.Kind() == reflect.Bool:
		return "it must be true or false."
	case t.Kind() == reflect.Float64:
		return "it must be a number."
	}
	return "it must be a whole number."
}

func checkSite(c config, p *problems) {
	_, port, err := net.SplitHostPort(c.Listen)
	p.check(err == nil && port != "", "LISTEN", "it must be an address and a port, such as 127.0.0.1:8080.")
	if c.MetricsListen != "" {
		_, port, err = net.SplitHostPort(c.MetricsListen)
		p.check(err == nil && port != "", "METRICS_LISTEN", "it must be an address and a port, such as 127.0.0.1:9090.")
		p.check(c.MetricsListen != c.Listen || port == "0", "METRICS_LISTEN", "it must not be the address of the site.")
	}
	checkAddress(p, "BASE_URL", c.BaseURL)
	if u, err := url.Parse(c.BaseURL); err == nil {
		p.check(strings.Trim(u.Path, "/") == "" && u.RawQuery == "", "BASE_URL", "it must have no path: only scheme and host, such as https://sign.example.com.")
	}
	checkKeys(p, "COOKIE_KEY", c.CookieKey, 32, 64)
	p.check(strings.Trim(c.CookieSuffix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "", "COOKIE_SUFFIX", "it must be of letters and digits.")
	for _, proxy := range c.Proxies {
		_, err := netip.ParsePrefix(proxy)
		p.check(err == nil, "TRUSTED_PROXIES", fmt.Sprintf("%q is not a prefix like 10.0.0.0/8.", proxy))
	}
	var level slog.Level
	p.check(level.UnmarshalText([]byte(c.LogLevel)) == nil, "LOG_LEVEL", "it must be debug, info, warn or error.")
	p.check(c.DrainTime >= 0, "DRAIN_TIME", "it must not be negative.")
	p.check(c.BrandHue >= 0 && c.BrandHue <= 360, "BRAND_HUE", "it must be between 0 and 360.")
	p.check(c.BrandChroma >= 0 && c.BrandChroma <= 0.2, "BRAND_CHROMA", "it must be between 0 and 0.2.")
	if c.HelpEmail != "" {
		_, err = netmail.ParseAddress(c.HelpEmail)
		p.check(err == nil, "HELP_EMAIL", "it must be a mail address.")
	}
}

func checkAddress(p *problems, name, text string) {
	u, err := url.Parse(text)
	ok := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && u.Fragment == ""
	p.check(text == "" || ok, name, "it must be an http or https address, without a name or a password in it.")
}

func checkKeys(p *problems, name string, list secret, least, most int) {
	if list == "" {
		return // told already
	}
	if _, err := keys(list, least, most); err != nil {
		p.add(name, err.Error()+". Make one with: openssl rand -base64 32")
	}
}

func checkStorage(c config, p *problems) {
	scheme, rest, _ := strings.Cut(string(c.DatabaseURL), ":")
	p.check(slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme) && rest != "", "DATABASE_URL", "it must begin with sqlite: or postgres://.")
	p.check(c.DatabaseConns >= 0 && c.DatabaseConns <= 1000, "DATABASE_CONNECTIONS", "it must be between 0 and 1000.")
	checkKeys(p, "MASTER_KEY", c.MasterKey, 32, 32)
	checkKeys(p, "AUDIT_KEY", c.AuditKey, 32, 64)
	_, err := audit.NewSigner(c.auditOrigin(), make([]byte, 32))
	p.check(err == nil || c.AuditOrigin == "", "AUDIT_ORIGIN", "it must be a name such as sign.example.com/audit, without blanks and plus signs.")
	p.check(c.AuditStamp >= time.Minute && c.AuditStamp <= 24*time.Hour, "AUDIT_TIMESTAMP_EVERY", "it must be between 1m and 24h.")
}

// auditOrigin names the log: an address without its scheme.
func (c config) auditOrigin() string {
	_, host, _ := strings.Cut(origin(c.BaseURL), "://")
	return cmp.Or(c.AuditOrigin, host+"/audit")
}

// auditSigner signs checkpoints with a key of its own, or one derived from the key that
// wraps documents: both are kept as long as anything is, and neither leaves this process.
func (c config) auditSigner() (*audit.Signer, error) {
	secrets, err := keys(cmp.Or(c.AuditKey, c.MasterKey), 32, 64)
	if err != nil {
		return nil, err
	}
	return audit.NewSigner(c.auditOrigin(), secrets[0])
}

func checkLogin(c config, p *problems) {
	checkAddress(p, "OIDC_ISSUER", c.Issuer)
	p.check(slices.Contains(c.Scopes, "openid"), "OIDC_SCOPES", "openid must be among them.")
	seen := map[string]string{}
	for _, list := range []struct {
		name   string
		values []string
	}{{"OIDC_SIGNER_ROLES", c.SignerRole}, {"OIDC_ADMIN_ROLES", c.AdminRole}, {"OIDC_AUDITOR_ROLES", c.AuditorRole}} {
		for _, v := range list.values {
			if other := seen[v]; other != "" && other != list.name {
				p.add(list.name, fmt.Sprintf("%q is in %s too; a value can give one role.", v, other))
			}
			seen[v] = list.name
		}
	}
	p.check(c.IdleTime >= time.Minute, "SESSION_IDLE", "it must be at least 1m.")
	p.check(c.SessionTime >= c.IdleTime, "SESSION_ABSOLUTE", "it must not be shorter than SESSION_IDLE.")
}

func checkDTM(c config, p *problems) {
	p.check(c.DTMRegion == "" || dtmclient.Region(c.DTMRegion) != "", "DTM_REGION", "it must be one of "+strings.Join(dtmclient.Regions(), ", ")+".")
	p.check(c.DTMRegion == "" || c.DTMURL == dtmclient.Region(c.DTMRegion), "DTM_URL", "DTM_REGION is set too. Keep one of them.")
	p.check(c.DTMURL != "" || c.DTMRegion != "" || p.has("DTM_URL_FILE"), "DTM_URL", "it must be set, or DTM_REGION.")
	checkAddress(p, "DTM_URL", c.DTMURL)
	p.check(!strings.HasSuffix(c.DTMURL, "/documentmanager"), "DTM_URL", "leave /documentmanager away.")
	p.check(!plain(c.DTMURL) || c.DTMPlain, "DTM_URL", "it must be https. For a simulator on another machine set DTM_PLAIN_HTTP=true.")
	within := func(name string, d, least, most time.Duration) {
		p.check(d >= least && d <= most, name, fmt.Sprintf("it must be between %s and %s.", least, most))
	}
	within("DTM_CALL_TIMEOUT", c.DTMCall, time.Second, time.Minute)
	within("DTM_AUTHORIZE_TIMEOUT", c.DTMAuthorize, 30*time.Second, 150*time.Second)
	within("DTM_SIGN_TIMEOUT", c.DTMSign, 5*time.Second, time.Minute)
	p.check(c.DTMLocksAfter >= 2 && c.DTMLocksAfter <= 100, "DTM_LOCKS_AFTER", "it must be between 2 and 100.")
	within("LOOK_EVERY", c.LookEvery, 100*time.Millisecond, time.Hour)
	p.check(c.Approvals == 1 || c.Approvals == 2, "APPROVALS", "it must be 1 or 2.")
	p.check(!slices.ContainsFunc(c.WarnDays, func(d int) bool { return d < 1 || d > 365 }), "WARN_DAYS", "each must be between 1 and 365.")
	p.check(c.ApprovalHold >= 0, "APPROVAL_HOLD", "it must not be negative.")
}

func checkLimits(c config, p *problems) {
	if _, err := readRoots(c.Roots); err != nil {
		p.add("TRUST_ROOTS", "the roots cannot be read: "+err.Error())
	}
	p.check(c.Together >= 1 && c.Together <= 100, "SIGN_TOGETHER", "it must be 1 to 100.")
	p.check(c.BuiltBy == "countersign" || c.BuiltBy == "dtm", "SIGNATURES_BUILT_BY", "it must be countersign or dtm.")
	p.check(slices.Contains([]string{"B-T", "B-LT", "B-LTA"}, c.Level), "LEVEL", "it must be B-T, B-LT or B-LTA.")
	p.check(c.MaxUpload > 0, "MAX_UPLOAD", "it must be more than 0.")
	p.check(c.MaxVerify > 0, "MAX_VERIFY", "it must be more than 0.")
	p.check(c.QuotaBytes >= c.MaxUpload, "QUOTA_BYTES", "it must not be less than MAX_UPLOAD, or nobody could keep the largest document.")
	p.check(c.QuotaFiles > 0, "QUOTA_FILES", "it must be more than 0.")
}

func checkMail(c config, p *problems) {
	_, err := netmail.ParseAddress(c.MailFrom)
	p.check(err == nil, "MAIL_FROM", "it must be a mail address.")
	switch {
	case c.SMTP == "" && c.Mailbox == "":
		p.check(p.has("SMTP_URL_FILE"), "SMTP_URL", "it must be set: people get mails about their checks and signatures.")
	case c.SMTP != "" && c.Mailbox != "":
		p.add("MAILBOX_URL", "SMTP_URL is set too. Keep one of them.")
	case err == nil:
		if _, err := mailSender(c); err != nil {
			p.add(map[bool]string{true: "SMTP_URL", false: "MAILBOX_URL"}[c.SMTP != ""], strings.TrimPrefix(err.Error(), "mail: ")+".")
		}
	}
	for name, u := range map[string]string{"MAILBOX_URL": c.Mailbox, "DEMO_MAIL_URL": c.DemoMail, "DEMO_PHONE_URL": c.DemoPhone} {
		checkAddress(p, name, u)
		p.check(u == "" || loopback(u) || c.DTMPlain, name, "it is for the simulator only: on this machine, or with DTM_PLAIN_HTTP=true.")
	}
}

// keys decodes a comma-separated list of base64 keys, newest first.
func keys(list secret, least, most int) ([][]byte, error) {
	var out [][]byte
	for _, text := range strings.Split(string(list), ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, errors.New("it is not base64")
		}
		if len(key) < least || len(key) > most {
			return nil, fmt.Errorf("it holds a key of %d bytes, not of %d to %d", len(key), least, most)
		}
		out = append(out, key)
	}
	return out, nil
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

// unknown are variables that look like ours and are not: most often a slip of the pen.
func unknown(environ map[string]string) (names []string) {
	known := map[string]bool{}
	for _, v := range variables() {
		known[v.name], known[v.name+"_FILE"] = true, true
	}
	for name := range environ {
		ours := slices.ContainsFunc([]string{"OIDC_", "DTM_", "BRAND_", "SESSION_", "QUOTA_", "COOKIE_", "MASTER_", "BLOB_", "AUDIT_"},
			func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		// Kubernetes sets NAME_SERVICE_… and NAME_PORT… for every service it knows.
		if ours && !known[name] && !strings.Contains(name, "_SERVICE_") && !strings.Contains(name, "_PORT") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
