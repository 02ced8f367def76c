package templates

import (
	"context"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// languageName writes a language in itself.
func languageName(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	return display.Self.Name(t)
}

// deviceName makes words of a user agent: browser and system, as far as they can be told.
func deviceName(ctx context.Context, agent string) string {
	browser := first(agent, [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}})
	system := first(agent, [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}})
	switch {
	case browser != "" && system != "":
		return T(ctx, "{{.Browser}} on {{.System}}", "Browser", browser, "System", system)
	case browser != "":
		return browser
	case system != "":
		return system
	}
	return T(ctx, "A browser we do not know")
}

func first(text string, pairs [][2]string) string {
	for _, p := range pairs {
		if strings.Contains(text, p[0]) {
			return p[1]
		}
	}
	return ""
}
