package handlers

import (
	"net/http"

	"countersign/people"
	"countersign/web/gallery"
	"countersign/web/static"
)

// Who may ask for a route. Nothing is open unless it says anyone.
type Who string

// The kinds of visitors.
const (
	Anyone   Who = "anyone"
	SignedIn Who = "signed in"
	Signers  Who = "signers"
	Admins   Who = "admins"
	Readers  Who = "admins and auditors"
)

// roles that satisfy a Who; none means any signed-in person.
var roles = map[Who][]people.Role{
	SignedIn: nil,
	Signers:  {people.Signer},
	Admins:   {people.Admin},
	Readers:  {people.Admin, people.Auditor},
}

// Route is one line of the table.
type Route struct {
	Method  string
	Path    string // of net/http's ServeMux
	Who     Who
	Passive bool // does not count as activity of the session: streams and polls
	handle  func(w http.ResponseWriter, r *http.Request) error
}

// Routes is everything there is. A test walks it as nobody, as a foreigner and as each role.
func (a *App) Routes() []Route {
	return []Route{
		{"GET", "/{$}", Anyone, false, a.showHome},
		{"GET", "/live", SignedIn, true, a.watchHome},
		{"GET", "/login", Anyone, false, a.login},
		{"GET", "/auth/callback", Anyone, false, a.finishLogin},
		{"POST", "/auth/backchannel-logout", Anyone, true, a.backchannelLogout},
		{"POST", "/logout", Anyone, false, a.logout},
		{"GET", "/signed-out", Anyone, false, a.showSignedOut},

		{"GET", "/verify", Anyone, false, a.showVerify},
		{"POST", "/verify", Anyone, false, a.verifyFile},
		{"GET", "/help", Anyone, false, a.showText("help")},
		{"GET", "/accessibility", Anyone, false, a.showText("accessibility")},
		{"GET", "/privacy", Anyone, false, a.showText("privacy")},
		{"GET", "/brand.css", Anyone, true, a.brandSheet},
		{"GET", "/icon.svg", Anyone, true, a.icon},

		{"GET", "/identity-checks/new", Signers, false, a.newCheck},
		{"POST", "/identity-checks", Signers, false, a.startCheck},
		{"GET", "/identity-checks/{id}", Signers, false, a.showCheck},
		{"GET", "/identity-checks/{id}/live", Signers, true, a.watchCheck},
		{"POST", "/identity-checks/{id}/cancel", Signers, false, a.cancelCheck},

		{"GET", "/review", Admins, false, a.showReview},
		{"GET", "/review/live", Admins, true, a.watchReview},
		{"GET", "/review/{id}", Admins, false, a.showCase},
		{"GET", "/review/{id}/live", Admins, true, a.watchCase},
		{"POST", "/review/{id}/approve", Admins, false, a.approve},
		{"POST", "/review/{id}/undo", Admins, false, a.undoApproval},
		{"POST", "/review/{id}/correct", Admins, false, a.correct},
		{"POST", "/review/{id}/refuse", Admins, false, a.refuse},
		{"POST", "/review/{id}/issue", Admins, false, a.issue},

		{"GET", "/credentials", SignedIn, false, a.showCredentials},
		{"GET", "/credentials/live", SignedIn, true, a.watchCredentials},
		{"GET", "/credentials/{id}", SignedIn, false, a.showCredential},
		{"GET", "/credentials/{id}/live", SignedIn, true, a.watchCredential},
		{"POST", "/credentials/{id}/suspend", SignedIn, false, a.suspend},
		{"POST", "/credentials/{id}/resume", SignedIn, false, a.resume},
		{"POST", "/credentials/{id}/renewal", SignedIn, false, a.askRenewal},
		{"POST", "/credentials/{id}/renewal/drop", SignedIn, false, a.dropRenewal},
		{"POST", "/credentials/{id}/renew", SignedIn, false, a.renew},
		{"POST", "/credentials/{id}/default", SignedIn, false, a.setDefault},
		{"GET", "/credentials/{id}/revoke", SignedIn, false, a.askRevoke},
		{"POST", "/credentials/{id}/revoke", SignedIn, false, a.revoke},

		{"GET", "/documents", Signers, false, a.showDocuments},
		{"POST", "/documents", Signers, false, a.uploadForm},
		{"PUT", "/documents", Signers, false, a.uploadRaw},
		{"GET", "/documents/{id}", Signers, false, a.showDocument},
		{"GET", "/documents/{id}/live", Signers, true, a.watchDocument},
		{"GET", "/documents/{id}/content", Signers, false, a.content},
		{"GET", "/documents/{id}/download", Signers, false, a.download},
		{"GET", "/documents/{id}/receipt", Signers, false, a.documentReceipt},
		{"POST", "/documents/{id}/erase", Signers, false, a.erase},
		{"GET", "/documents/{id}/sign", Signers, false, a.choose},
		{"POST", "/documents/{id}/sign", Signers, false, a.begin},

		{"GET", "/sign", Signers, false, a.chooseTogether},
		{"POST", "/sign", Signers, false, a.beginTogether},
		{"GET", "/ceremonies/approved", Anyone, false, a.takeConsent}, // says itself whom it takes: an address to come back to must not hold a code
		{"GET", notUsedPath, Signers, false, a.showNotTaken},
		{"GET", "/ceremonies/{id}", Signers, false, a.showCeremony},
		{"GET", "/ceremonies/{id}/live", Signers, true, a.watchCeremony},
		{"POST", "/ceremonies/{id}/code", Signers, false, a.sendCode},
		{"POST", "/ceremonies/{id}/consent", Signers, false, a.askConsent},
		{"POST", "/ceremonies/{id}/authorize", Signers, false, a.authorize},
		{"POST", "/ceremonies/{id}/cancel", Signers, false, a.cancelCeremony},
		{"POST", "/ceremonies/{id}/without", Signers, false, a.takeOut},
		{"GET", "/ceremonies/{id}/download", Signers, false, a.downloadAll},

		{"GET", "/audit", Readers, false, a.showAudit},
		{"GET", "/audit.csv", Readers, false, a.auditCSV},
		{"GET", "/audit/dtm", Readers, false, a.showRemoteLog},
		{"GET", "/audit/dtm.csv", Readers, false, a.remoteCSV},
		{"GET", "/audit/log", Readers, false, a.showProof},
		{"POST", "/audit/log/check", Readers, false, a.checkLog},
		{"GET", "/audit/export", Readers, false, a.exportLog},
		{"GET", "/audit/{id}", Readers, false, a.showEntry},
		{"GET", "/audit/{id}/receipt", Readers, false, a.entryReceipt},
		{"GET", "/roles", Readers, false, a.showRoles},

		{"GET", "/work", Admins, false, a.showWork},
		{"GET", "/work/live", Admins, true, a.watchWork},
		{"POST", "/work/{id}/again", Admins, false, a.workAgain},
		{"POST", "/work/{id}/settle", Admins, false, a.workSettled},

		{"GET", "/people", Readers, false, a.showPeople},
		{"GET", "/people/{id}", Readers, false, a.showPerson},
		{"GET", "/people/{id}/disable", Readers, false, a.askDisable},
		{"POST", "/people/{id}/disable", Readers, false, a.disable},
		{"POST", "/people/{id}/enable", Readers, false, a.enable},

		{"GET", "/account", SignedIn, false, a.showAccount},
		{"POST", "/account", SignedIn, false, a.saveAccount},
		{"POST", "/account/sessions/{id}/end", SignedIn, false, a.endSession},
		{"GET", "/account/connect", SignedIn, false, a.connect},
		{"GET", "/account/connected", SignedIn, false, a.connected},
		{"GET", notConnectedPath, SignedIn, false, a.showNotConnected},
		{"GET", "/account/disconnect", SignedIn, false, a.askDisconnect},
		{"POST", "/account/disconnect", SignedIn, false, a.disconnect},

		{"GET", "/healthz", Anyone, true, a.healthy},
		{"GET", "/readyz", Anyone, true, a.ready},
	}
}

// Handler is the whole site: the table, then what surrounds it, outermost first.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	table := http.NewServeMux() // the same without the rest below it: knows which methods there are
	for _, route := range a.Routes() {
		mux.Handle(route.Method+" "+route.Path, a.guard(route))
		table.Handle(route.Method+" "+route.Path, http.NotFoundHandler())
	}
	mux.Handle("GET /static/", static.Handler())
	if a.DemoMail != "" {
		mux.Handle("GET /gallery", gallery.Handler())
		mux.Handle("GET /gallery/", gallery.Handler())
	}
	mux.Handle("/", a.answer(func(w http.ResponseWriter, r *http.Request) error {
		if allowed := methods(table, r); allowed != "" {
			w.Header().Set("Allow", allowed)
			return notThisWay
		}
		return notFound
	}))

	var h http.Handler = mux
	h = a.sameOrigin(h)    // a form of another site changes nothing
	h = a.secureHeaders(h) // also on what sameOrigin refuses
	h = a.record(h)        // one line per request, with its reference
	h = a.recover(h)       // a panic ends one request, never the process
	return h
}

// methods lists those that the table has for a path, as in an Allow header; none for a
// path that it does not have. Only the mux itself knows, and it tells in its own answer.
func methods(table *http.ServeMux, r *http.Request) string {
	refusal, _ := table.Handler(r)
	told := &discard{header: http.Header{}}
	refusal.ServeHTTP(told, r)
	return told.header.Get("Allow")
}
