package handlers_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/idpsim"
	"countersign/people"
	"countersign/signing"
)

// U15: many at once, the same twice, an id that is given out already.
func TestUploadsAtOnceDoNotMix(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada, ben := s.SignIn("ada"), s.SignIn("ben")
	contents, ids := make([][]byte, 50), make([]string, 50)
	for i := range contents {
		contents[i] = append(handlerstest.PDF(), []byte(strings.Repeat(fmt.Sprintf("\n%% file %d", i), 100+i*500))...)
	}
	together(50, func(i int) {
		b := []*handlerstest.Browser{ada, ben}[i%2]
		way := []string{"PUT", "form"}[i/2%2]
		a, err := b.Send(ways[way](b, "same name.pdf", bytes.NewReader(contents[i]), []int64{int64(len(contents[i])), -1}[i/4%2]))
		if err != nil || a.StatusCode != 201 && a.StatusCode != 303 {
			t.Errorf("%d: %v %v", i, err, a)
			return
		}
		ids[i] = strings.TrimPrefix(a.Header.Get("Location"), "/documents/")
	})
	require.False(t, t.Failed())
	seen := map[string]bool{}
	for i, id := range ids {
		require.False(t, seen[id], "an id twice")
		seen[id] = true
		owner, other := ada, ben
		if i%2 == 1 {
			owner, other = ben, ada
		}
		got := owner.Get("/documents/" + id + "/download")
		require.Equal(t, sha256.Sum256(contents[i]), sha256.Sum256([]byte(got.Body)), "file %d", i)
		require.Contains(t, owner.Get("/documents/"+id).Body, fmt.Sprintf("%x", sha256.Sum256(contents[i]))[:8])
		require.Equal(t, http.StatusNotFound, other.Get("/documents/"+id+"/download").StatusCode)
	}
	first, again := ada.Upload("twice.pdf", contents[0]), ada.Upload("twice.pdf", contents[0])
	require.NotEqual(t, first, again, "the same file is another document")
	require.Equal(t, 303, ada.Erase(first).StatusCode)
	require.Equal(t, string(contents[0]), ada.Get("/documents/"+string(again)+"/download").Body, "erasing one leaves the other")

	// An id that somebody names is not taken, their own or another's.
	for _, b := range []*handlerstest.Browser{ada, ben} {
		for _, query := range []string{"id=" + ids[0], "document=" + ids[0], "name=a.pdf&id=" + ids[0], "name=" + ids[0]} {
			a := b.Do("PUT", "/documents?"+query, bytes.NewReader(contents[1]), "Content-Type", "application/pdf")
			require.Equal(t, http.StatusCreated, a.StatusCode)
			require.NotContains(t, a.Header.Get("Location"), ids[0])
		}
		require.GreaterOrEqual(t, b.Do("PUT", "/documents/"+ids[0], bytes.NewReader(contents[1])).StatusCode, 400)
	}
	require.Equal(t, string(contents[0]), ada.Get("/documents/"+ids[0]+"/download").Body)
}

// U20: below the reserve nothing comes in, and what is here can be signed all the same.
func TestAFullDiskTakesNoMoreAndSignsWhatItHas(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	code := w.ada.Code(w.ceremony)
	waits := w.fresh("waits too.pdf")
	before, files := documents(t, w.Site), stored(t, w.Site)
	w.Signing.Reserve = 1 << 60 // no disk has as much to spare
	for way, request := range ways {
		for _, size := range []int64{int64(len(handlerstest.PDF())), -1} {
			a, err := w.ada.Send(request(w.ada, "one more.pdf", bytes.NewReader(handlerstest.PDF()), size))
			require.NoError(t, err)
			require.Equal(t, http.StatusInsufficientStorage, a.StatusCode, "%s %d: %s", way, size, a.Body)
			require.Contains(t, a.Body, "There is no room left to keep this file.")
		}
	}
	require.Equal(t, before, documents(t, w.Site))
	require.Equal(t, files, stored(t, w.Site))

	a := w.ada.Approve(w.ceremony, code)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	_, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.SignatureReleased, signatures[0].State, "a ceremony that had begun")
	w.Clock.Pass(31 * time.Second)
	w.ada.Signed(waits, w.credential.ID) // and one that had not
	require.Contains(t, w.ada.Get("/documents/"+string(waits)+"/download").Body, "/ETSI.CAdES.detached")
	require.Equal(t, 303, w.ada.Erase(waits).StatusCode)
	w.Signing.Reserve = -1
	w.ada.Upload("there is room again.pdf", handlerstest.PDF())
}

// A14: an address is where mail goes; it says nothing about who somebody is.
func TestAnAddressGivesNoRights(t *testing.T) {
	w := newTown(t, handlerstest.Options{IDP: func(o *idpsim.Options) {
		o.People = append(o.People, idpsim.Person{Subject: "ada-2", Name: "Ada Example", GivenName: "Ada", FamilyName: "Example",
			Email: "ada@example.test", Roles: []string{"signer"}})
	}})
	ada := w.ada.Person()
	twin := w.SignIn("ada-2") // the same name and address, another subject
	require.NotEqual(t, ada.ID, twin.Person().ID)
	for _, path := range []string{"/documents/" + string(w.signed), "/documents/" + string(w.signed) + "/download", "/credentials/" + string(w.credential.ID),
		"/ceremonies/" + string(w.ceremony), "/identity-checks/" + string(w.check)} {
		require.Equal(t, http.StatusOK, w.ada.Get(path).StatusCode, path)
		require.Equal(t, http.StatusNotFound, twin.Get(path).StatusCode, path)
	}
	require.NotContains(t, twin.Get("/documents").Body, "signed.pdf")
	a := twin.Post("/identity-checks", "standard", "advanced_plus", "consent", "on") // DTM knows the address as another person's
	require.NotEqual(t, http.StatusInternalServerError, a.StatusCode)
	require.Empty(t, twin.Person().DTMUser, "nobody is bound by an address")
	require.NotEmpty(t, ada.DTMUser)

	w.IDP.SetEmail("ben", "cleo@example.test") // to an admin's, while he is signed in, and at the next login
	for range 2 {
		require.Equal(t, http.StatusForbidden, w.ben.Get("/review").StatusCode)
		require.Equal(t, http.StatusForbidden, w.ben.Post("/review/"+string(w.check)+"/approve").StatusCode)
		w.ben.SignIn("ben")
	}
	require.Equal(t, []people.Role{people.Signer}, w.ben.Person().Roles)
	require.Equal(t, "cleo@example.test", w.ben.Person().Email)
	var bound int
	w.Row([]any{&bound}, "SELECT count(*) FROM people WHERE dtm_user <> '' AND subject = ?", "ben")
	require.Zero(t, bound)
}

// B6: one person's flood is theirs alone.
func TestOneWhoFloodsIsSlowedAndNobodyElse(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	w.Signing.Limits.UploadsPerHour, w.Signing.Limits.BeginsPerHour = 6, 5
	limited := 0
	for range 10 {
		a := w.ada.Put("flood.pdf", handlerstest.PDF())
		if a.StatusCode == http.StatusCreated {
			continue
		}
		require.Equal(t, http.StatusTooManyRequests, a.StatusCode, a.Body)
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		limited++
	}
	require.GreaterOrEqual(t, limited, 4)
	document := w.ben.Upload("of somebody else.pdf", handlerstest.PDF())
	require.Equal(t, http.StatusOK, w.ben.Get("/documents/"+string(document)).StatusCode)

	limited = 0
	calls := w.asked("info")
	for range 10 {
		id := w.ada.Post("/documents/"+string(w.signed)+"/sign", "credential", string(w.credential.ID))
		if id.StatusCode == http.StatusTooManyRequests {
			limited++
			continue
		}
		require.Equal(t, http.StatusSeeOther, id.StatusCode, id.Body)
		require.Equal(t, http.StatusSeeOther, w.ada.Post(id.Header.Get("Location")+"/cancel").StatusCode)
	}
	require.GreaterOrEqual(t, limited, 5)
	require.LessOrEqual(t, w.asked("info")-calls, 10, "DTM is asked no further")
	w.Clock.Pass(61 * time.Minute)
	w.ada.SignIn("ada")
	w.ada.Upload("an hour later.pdf", handlerstest.PDF())
}
