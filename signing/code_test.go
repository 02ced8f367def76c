package signing_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

func wrong(otp signing.Secret) signing.Secret {
	b := []byte(otp)
	b[0] = '0' + (b[0]-'0'+1)%10
	return signing.Secret(b)
}

// O1: five wrong codes end the ceremony, ten an hour rest the credential; all are counted
// before they reach the service.
func TestWrongCodesAreLimited(t *testing.T) {
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		o.Limits.SendEvery, o.Limits.SendsPerHour, o.Limits.LocksAfter = time.Millisecond, 100, 100
	})
	upstream := 0
	for n := range 2 {
		w.clock.pass(16 * time.Minute) // beyond the simulator's own lock
		d := w.submitted(fmt.Sprint("Guess ", n))
		c := w.begun(d)
		for try := 1; try <= 5; try++ {
			// The simulator locks at five wrong ones too; a right-looking resend does not help.
			_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: wrong(w.factors().OTP)})
			upstream++
			if try < 5 {
				require.Equal(t, "otp_wrong", code(t, err))
				e := new(signing.Error)
				require.ErrorAs(t, err, &e)
				require.Equal(t, 5-try, e.Args["Left"])
			} else {
				require.Contains(t, []string{"too_many_tries", "otp_locked"}, code(t, err))
			}
		}
		got, g := w.state(c)
		require.Equal(t, signing.CeremonyFailed, got.State)
		require.Equal(t, signing.SignatureFailed, g.State)
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.True(t, errors.Is(err, signing.ErrConflict), "the right code comes too late")
	}
	require.Equal(t, upstream, w.calls("credentials/authorize"))

	w.clock.pass(16 * time.Minute)
	c := w.begun(w.submitted("Eleventh"))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.Equal(t, "tries_hour", code(t, err))
	require.Equal(t, upstream, w.calls("credentials/authorize"), "the eleventh try in an hour stays here")
	w.clock.pass(time.Hour)
	c = w.begun(w.submitted("An hour later"))
	_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.Contains(t, w.actions("ceremony"), "ceremony.send_back")
}

// Twenty wrong ones without a right one between make a credential rest for a day, over
// ceremonies and hours. Here it is eighteen: the simulator locks at every fifth by itself.
func TestManyWrongCodesInARowRestACredential(t *testing.T) {
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		o.Limits.SendEvery, o.Limits.SendsPerHour, o.Limits.LocksAfter = time.Millisecond, 100, 100
	})
	require.Equal(t, 20, w.Limits.TriesInRow)
	w.Limits.TriesInRow = 18
	ceremonies := 0
	wrongs := func(n int) {
		t.Helper()
		for n > 0 {
			w.clock.pass(61 * time.Minute) // no other limit is reached
			ceremonies++
			c := w.begun(w.submitted(fmt.Sprint("Guess ", ceremonies)))
			for open := true; open && n > 0; n-- {
				_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: wrong(w.factors().OTP)})
				got := code(t, err)
				require.Contains(t, []string{"otp_wrong", "otp_locked", "too_many_tries"}, got)
				open = got == "otp_wrong"
			}
		}
	}
	wrongs(14)
	w.clock.pass(61 * time.Minute)
	c := w.begun(w.submitted("Right"))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err, "a right one between")
	wrongs(17)
	w.clock.pass(61 * time.Minute)
	c = w.begun(w.submitted("The last one"))
	_, err = w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: wrong(w.factors().OTP)})
	require.Equal(t, "otp_wrong", code(t, err))
	upstream, sent := w.calls("credentials/authorize"), w.calls("credentials/sendOTP")
	for range 3 {
		_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.Equal(t, "tries_row", code(t, err), "also the right one")
		_, err = w.SendCode(ctx, w.ada, c.ID)
		require.Equal(t, "tries_row", code(t, err), "and no code is sent")
		e := new(signing.Error)
		require.ErrorAs(t, err, &e)
		require.Equal(t, time.Hour, e.RetryAfter)
		require.Contains(t, e.Who, "suspend")
	}
	require.Equal(t, upstream, w.calls("credentials/authorize"))
	require.Equal(t, sent, w.calls("credentials/sendOTP"))

	n, err := w.Sweep(ctx)
	require.NoError(t, err)
	require.Zero(t, n, "what still counts is kept")
	w.clock.pass(24 * time.Hour)
	n, err = w.Sweep(ctx)
	require.NoError(t, err)
	require.Positive(t, n)
	c = w.begun(w.submitted("A day later"))
	_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
}

func TestParallelGuessesDoNotGetMoreTries(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("Parallel guesses"))
	bad := wrong(w.factors().OTP)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { _, _ = w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: bad}) })
	}
	wg.Wait()
	require.LessOrEqual(t, w.calls("credentials/authorize"), 5)
	got, _ := w.state(c)
	require.Equal(t, got.Tries, w.calls("credentials/authorize"))
}

func TestRightCodesDoNotUseUpTheTries(t *testing.T) {
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		o.Limits.TriesPerHour, o.Limits.SendEvery, o.Limits.SendsPerHour = 2, time.Millisecond, 100
	})
	for n := range 4 {
		w.clock.pass(31 * time.Second)
		c := w.begun(w.submitted(fmt.Sprint("Right ", n)))
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err)
	}
}

// O2.
func TestCodesAreSentRarely(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("Send"))
	for range 100 {
		_, err := w.SendCode(ctx, w.ada, c.ID)
		require.Equal(t, "send_soon", code(t, err))
		e := new(signing.Error)
		require.ErrorAs(t, err, &e)
		require.Equal(t, 30*time.Second, e.RetryAfter)
	}
	require.Equal(t, 1, w.calls("credentials/sendOTP"))
	for n := 2; n <= 5; n++ {
		w.clock.pass(31 * time.Second)
		_, err := w.SendCode(ctx, w.ada, c.ID)
		require.NoError(t, err)
	}
	w.clock.pass(31 * time.Second)
	_, err := w.SendCode(ctx, w.ada, c.ID)
	require.Equal(t, "send_often", code(t, err))
	require.Equal(t, 5, w.calls("credentials/sendOTP"))
}

// O3.
func TestCodeRunsOut(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("Late"))
	f := w.factors()
	w.clock.pass(5 * time.Minute)
	_, err := w.Authorize(ctx, w.ada, c.ID, f)
	require.Equal(t, "otp_expired", code(t, err))
	require.Zero(t, w.calls("credentials/authorize"))
	_, err = w.SendCode(ctx, w.ada, c.ID)
	require.NoError(t, err)
	_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
}

// O4, O5.
func TestCodeIsGoodForOneCeremonyOfOnePersonOnce(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("First"))
	f := w.factors()
	bea := w.another("Bea", "cp-basic", "bea")
	_, err := w.Authorize(ctx, bea, c.ID, f)
	require.Equal(t, "not_found", code(t, err))
	require.Zero(t, w.calls("credentials/authorize"))

	_, err = w.Authorize(ctx, w.ada, c.ID, f)
	require.NoError(t, err)
	_, err = w.Authorize(ctx, w.ada, c.ID, f)
	require.Equal(t, "already_used", code(t, err))

	// A second ceremony wants a code of its own.
	second, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{w.submitted("Second").ID}, "ada")
	require.NoError(t, err)
	_, err = w.Authorize(ctx, w.ada, second.ID, f)
	require.Equal(t, "code_not_sent", code(t, err))
	require.Equal(t, 1, w.calls("credentials/authorize"))
	require.Contains(t, w.actions("ceremony"), "ceremony.authorize")
}

// O6.
func TestCodeIsTakenAsPeopleTypeIt(t *testing.T) {
	for name, form := range map[string]func(string) string{
		"as sent":       func(c string) string { return c },
		"with spaces":   func(c string) string { return " " + c[:3] + " " + c[3:] + "\t" },
		"with dash":     func(c string) string { return c[:3] + "–" + c[3:] },
		"Arabic-Indic":  func(c string) string { return digits(c, '\u0660') },
		"Persian":       func(c string) string { return digits(c, '\u06F0') },
		"full width":    func(c string) string { return digits(c, '\uFF10') },
		"Devanagari":    func(c string) string { return digits(c, '\u0966') },
		"direction set": func(c string) string { return "\u200E" + c + "\u200F" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			c := w.begun(w.submitted("Type"))
			_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: signing.Secret(form(string(w.factors().OTP)))})
			require.NoError(t, err)
		})
	}
}

func digits(s string, zero rune) string {
	return strings.Map(func(r rune) rune { return r - '0' + zero }, s)
}

func TestMalformedCodesStayHere(t *testing.T) {
	w := newWorld(t, "cp-advanced")
	c := w.begun(w.submitted("Malformed"))
	good := w.factors()
	for in, want := range map[signing.Secret]string{
		"": "otp_empty", "   ": "otp_empty", "12345\x00": "otp_format", "12345a": "otp_format", "<script>": "otp_format",
		signing.Secret(strings.Repeat("1", 65)): "otp_format", signing.Secret(strings.Repeat("1", 1<<20)): "otp_format",
	} {
		_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: in, PIN: good.PIN})
		require.Equal(t, want, code(t, err), "%d bytes", len(in))
	}
	_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: good.OTP})
	require.Equal(t, "pin_empty", code(t, err))
	_, err = w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: good.OTP, PIN: "12\x0034"})
	require.Equal(t, "pin_format", code(t, err))
	require.Zero(t, w.calls("credentials/authorize"))
	got, _ := w.state(c)
	require.Zero(t, got.Tries, "what is not tried does not count")
}

func TestWrongPINLeavesTheCodeGood(t *testing.T) {
	w := newWorld(t, "cp-advanced")
	c := w.begun(w.submitted("PIN"))
	f := w.factors()
	_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: f.OTP, PIN: wrong(f.PIN)})
	require.Equal(t, "pin_wrong", code(t, err))
	got, _ := w.state(c)
	require.Equal(t, signing.CeremonyCodeSent, got.State)
	require.Equal(t, "pin_wrong", got.Reason)
	_, err = w.Authorize(ctx, w.ada, c.ID, f)
	require.NoError(t, err)
}
