package templates

import "context"

func checkTone(state string) string {
	switch state {
	case "good":
		return "ok"
	case "bad":
		return "bad"
	case "unknown":
		return "hold"
	}
	return "off"
}

func checkGlyph(state string) string {
	switch state {
	case "good":
		return "tick"
	case "bad":
		return "cross"
	case "unknown":
		return "r-ask"
	}
	return "info"
}

func checkWord(ctx context.Context, state string) string {
	switch state {
	case "good":
		return T(ctx, "Passed")
	case "bad":
		return T(ctx, "Failed")
	case "unknown":
		return T(ctx, "Cannot tell")
	}
	return T(ctx, "Note")
}

func noticeGlyph(tone string) string {
	switch tone {
	case "bad":
		return "cross"
	case "hold":
		return "alert"
	}
	return "info"
}

func noticeWord(ctx context.Context, tone string) string {
	switch tone {
	case "bad":
		return T(ctx, "Bad")
	case "hold":
		return T(ctx, "Look")
	}
	return T(ctx, "Note")
}
