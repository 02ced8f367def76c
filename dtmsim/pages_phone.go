package dtmsim

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

type phoneUser struct {
	ID, Name, Email, Phone string
	Waiting                int
}

type phonePush struct {
	ID, Description, Credential, Outcome string
	Signatures                           int
	Hashes                               []string
	At                                   time.Time
	Waiting                              bool
}

type phoneText struct {
	Words, Code string
	At          time.Time
	Live        bool
}

func (u *user) onPhone() phoneUser {
	return phoneUser{ID: u.ID, Name: u.name(), Email: u.Email, Phone: u.Phone}
}

// showPhones lists the phones; "?user=" with an id, a user name or an address goes straight to one.
func showPhones(v *visit) {
	if u := v.findUser(v.r.URL.Query().Get("user")); u != nil {
		v.goTo("/phone/" + url.PathEscape(u.ID))
		return
	}
	var users []phoneUser
	for _, u := range slices.Backward(v.st.Users) {
		p := u.onPhone()
		for _, q := range v.pushesOf(u.ID) {
			if q.outcome == "" {
				p.Waiting++
			}
		}
		users = append(users, p)
	}
	v.show("phones", struct {
		frame
		Users []phoneUser
	}{frame{Title: "Phones", Nav: "phone", Live: true}, users})
}

const (
	textsShown  = 20
	pushesShown = 5
	hashesShown = 10
)

func showPhone(v *visit) {
	u := v.user(v.r.PathValue("user"))
	if u == nil {
		v.missing()
		return
	}
	page := struct {
		frame
		User   phoneUser
		Pushes []phonePush
		TOTP   string
		Texts  []phoneText
	}{frame: frame{Title: "Phone of " + u.name(), Nav: "phone", Live: true}, User: u.onPhone()}
	for _, p := range v.pushesOf(u.ID) {
		if p.outcome == "" || len(page.Pushes) < pushesShown {
			page.Pushes = append(page.Pushes, phonePush{p.id, p.description, p.credential.Name, p.outcome, p.signatures,
				p.hashes[:min(len(p.hashes), hashesShown)], p.at, p.outcome == ""})
		}
	}
	for _, c := range v.st.Credentials {
		if c.User == u.ID && profileOf(c.Profile).OTP == "offline" {
			page.TOTP = totpAt(u.TOTP, v.totpStep())
		}
	}
	texts := v.textsOf(u.ID)
	for _, t := range texts[:min(len(texts), textsShown)] {
		c := v.credential(t.Credential)
		live := c != nil && c.OTP.Code == t.Code && v.now().Before(c.OTP.SentAt.Add(otpLife))
		page.Texts = append(page.Texts, phoneText{t.Text, t.Code, t.At, live})
	}
	v.show("phone", page)
}

func answerPush(v *visit) {
	p := v.pushes[v.r.PathValue("id")]
	if p == nil || p.user != v.r.PathValue("user") {
		v.missing()
		return
	}
	switch v.r.PostFormValue("answer") {
	case "approve":
		p.decide(pushApproved)
	case "decline":
		p.decide(pushDeclined)
	default:
		v.status = http.StatusBadRequest
	}
	v.goTo("/phone/" + url.PathEscape(p.user))
}
