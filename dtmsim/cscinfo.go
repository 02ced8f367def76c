package dtmsim

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cscInfo is info (CSC 11.1).
func cscInfo(c *cscCall) (any, error) {
	lang := "en-US"
	if l := strings.ReplaceAll(c.str("lang"), "_", "-"); l == "en" || strings.HasPrefix(l, "en-") {
		lang = l
	}
	out := map[string]any{
		"specs": "1.0.4.0", "name": "DTM Simulator", "logo": c.url("/logo.png"), "region": "NL", "lang": lang,
		"description": "Simulator of a remote signing service. Its signatures prove nothing.",
		"authType":    []string{"oauth2code", "oauth2client", "basic", "digest"},
		"oauth2":      c.url("/account/api/v1"),
		"methods":     cscMethods,
	}
	if c.version == "v0" {
		out["specs"] = "0.1.7.9"
		out["oauth2"] = c.url("/account/api/v1/oauth2/authorize")
	}
	return out, nil
}

// cscList is credentials/list (CSC 11.4).
func cscList(c *cscCall) (any, error) {
	who := cmpOr(c.str("userID"), c.r.URL.Query().Get("user_id"))
	_, sent := c.in["userID"]
	u := c.user
	switch {
	case u != nil && (sent || who != ""):
		return nil, refuse("userID parameter MUST be null")
	case u == nil && who == "" && sent:
		return nil, refuse("Invalid parameter userID")
	case u == nil && who == "":
		return nil, refuse("Missing (or invalid type) string parameter userID")
	case u == nil:
		if u = c.Sim.user(who); u == nil {
			u = c.byUserName(who)
		}
		if u == nil {
			return nil, refuse("Invalid parameter userID")
		}
	}
	names := []string{}
	for _, cr := range c.st.Credentials {
		if cr.User == u.ID && listed(cr) {
			names = append(names, cr.Name)
		}
	}
	slices.Sort(names)
	from := 0
	if _, ok := c.in["pageToken"]; ok {
		from = pageFrom(c.str("pageToken"), u.ID)
		if from <= 0 || from >= len(names) {
			return nil, refuse("Invalid parameter pageToken")
		}
	}
	size, ok := c.integer("maxResults")
	if !ok || size < 1 || size > cscMaxPage {
		size = cscMaxPage
	}
	to := min(from+size, len(names))
	out := map[string]any{"credentialIDs": names[from:to]}
	if to < len(names) {
		out["nextPageToken"] = pageToken(to, u.ID)
	}
	return out, nil
}

func (s *Sim) byUserName(name string) *user {
	for _, u := range s.st.Users {
		if u.UserName == name {
			return u
		}
	}
	return nil
}

func pageToken(at int, user string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", at, user))
}

func pageFrom(token, user string) int {
	b, err := base64.RawURLEncoding.DecodeString(token)
	at, whose, ok := strings.Cut(string(b), ".")
	n, err2 := strconv.Atoi(at)
	if err != nil || err2 != nil || !ok || whose != user {
		return -1
	}
	return n
}

// cscCredential is credentials/info (CSC 11.5).
func cscCredential(c *cscCall) (any, error) {
	cr, err := c.credentialParam()
	if err != nil {
		return nil, err
	}
	chain := "single"
	if _, sent := c.in["certificates"]; sent {
		chain = c.str("certificates")
	}
	if !slices.Contains([]string{"none", "single", "chain"}, chain) {
		return nil, refuse("Invalid parameter certificates")
	}
	certInfo, err := c.boolean("certInfo")
	if err != nil {
		return nil, err
	}
	authInfo, err := c.boolean("authInfo")
	if err != nil {
		return nil, err
	}
	p := profileOf(cr.Profile)
	out := map[string]any{
		"description": p.Name + " (Simulator)", "authMode": p.AuthMode, "SCAL": p.SCAL, "multisign": p.Multisign,
		"key": c.keyInfo(cr, p), "cert": c.certInfo(cr, chain, certInfo),
	}
	if c.version == "v0" {
		out["multisign"] = p.Multisign > 1
	}
	if l := c.str("lang"); l != "" {
		out["lang"] = strings.ReplaceAll(l, "_", "-")
	}
	if authInfo && p.AuthMode == "explicit" {
		out["PIN"], out["OTP"] = pinInfo(p), c.otpInfo(cr, p)
	}
	return out, nil
}

func (c *cscCall) keyInfo(cr *credential, p profile) map[string]any {
	status := "enabled"
	if cr.Status != credActive || c.certStatus(cr) == "expired" {
		status = "disabled"
	}
	out := map[string]any{"status": status, "algo": keyAlgos(cr.key.Public()), "len": cr.keyLen()}
	if k, ok := cr.key.Public().(*ecdsa.PublicKey); ok {
		out["curve"] = curveOIDs[k.Curve]
	}
	return out
}

var curveOIDs = map[elliptic.Curve]string{elliptic.P256(): "1.2.840.10045.3.1.7", elliptic.P384(): "1.3.132.0.34", elliptic.P521(): "1.3.132.0.35"}

// keyAlgos lists combined identifiers first: clients take the first, or insist on one of
// them. Of a curve's, the one with the digest of its own size comes first.
func keyAlgos(key crypto.PublicKey) []string {
	if k, ok := key.(*ecdsa.PublicKey); ok {
		all := []string{"1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"}
		first := map[elliptic.Curve]int{elliptic.P384(): 1, elliptic.P521(): 2}[k.Curve]
		return append(slices.Clone(all[first:]), all[:first]...)
	}
	return []string{"1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.1"}
}

func (c *cscCall) certStatus(cr *credential) string {
	switch {
	case cr.Status == credRevoked:
		return "revoked"
	case cr.Status == credSuspended:
		return "suspended"
	case c.now().After(cr.cert.NotAfter):
		return "expired"
	}
	return "valid"
}

func (c *cscCall) certInfo(cr *credential, chain string, details bool) map[string]any {
	out := map[string]any{"status": c.certStatus(cr)}
	leaf := base64.StdEncoding.EncodeToString(cr.cert.Raw)
	switch chain {
	case "single":
		out["certificates"] = []string{leaf}
	case "chain":
		out["certificates"] = []string{leaf, base64.StdEncoding.EncodeToString(c.pki.issuing.cert.Raw), base64.StdEncoding.EncodeToString(c.pki.root.cert.Raw)}
	}
	if details {
		const form = "20060102150405Z"
		out["issuerDN"], out["subjectDN"] = dn(cr.cert.Issuer), dn(cr.cert.Subject)
		out["serialNumber"] = serialHex(cr.cert.SerialNumber)
		out["validFrom"], out["validTo"] = cr.cert.NotBefore.UTC().Format(form), cr.cert.NotAfter.UTC().Format(form)
	}
	return out
}

func (p profile) presence(factor string) string {
	if p.Optional == factor || p.Optional == "either" {
		return "optional"
	}
	return "true"
}

func pinInfo(p profile) map[string]any {
	if !p.PIN {
		return map[string]any{"presence": "false"}
	}
	return map[string]any{"presence": p.presence("PIN"), "format": "N", "label": "PIN", "description": "The PIN that was mailed to you"}
}

func (c *cscCall) otpInfo(cr *credential, p profile) map[string]any {
	out := map[string]any{"presence": "false"}
	switch {
	case p.OTP == "offline":
		out = map[string]any{"presence": p.presence("OTP"), "type": "offline", "format": "N", "ID": "totp-1", "provider": "totp", "label": "Authenticator code",
			"description": "Open the authenticator on your phone"}
	case p.OTP == "online" && c.Sim.user(cr.User).Phone == "":
		out = map[string]any{"presence": p.presence("OTP"), "type": "online", "format": "N", "ID": "mail-1", "provider": "email", "label": "Code by e-mail",
			"description": "Sent to your e-mail address"}
	case p.OTP == "online":
		out = map[string]any{"presence": p.presence("OTP"), "type": "online", "format": "N", "ID": "sms-1", "provider": "sms", "label": "Code by text message",
			"description": "Sent to the number that ends in " + lastDigits(c.Sim.user(cr.User).Phone)}
	}
	if c.version == "v0" {
		delete(out, "format")
	}
	return out
}

func lastDigits(phone string) string { return phone[max(0, len(phone)-2):] }

// serveLogo draws the logo info promises: a square with a stepped line.
func serveLogo(w http.ResponseWriter, _ *http.Request) {
	const n = 64
	im := image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.White, color.Black})
	for x := range n {
		y := 24 + 8*((x/16)%2)
		for d := range 6 {
			im.SetColorIndex(x, y+d, 1)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		http.Error(w, "no logo", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b.Bytes())
}
