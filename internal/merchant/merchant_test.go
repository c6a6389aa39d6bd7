package merchant_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"billsync/internal/merchant"
)

func normaliser(t testing.TB, own ...merchant.Own) *merchant.Normaliser {
	t.Helper()
	n, err := merchant.New(own)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every rule does what its example says, and says that it did.
func TestExamples(t *testing.T) {
	t.Parallel()
	n := normaliser(t)
	seen := make(map[string]bool)
	for _, r := range merchant.Builtin() {
		if seen[r.ID] || !regexp.MustCompile(`^[a-z0-9.]+$`).MatchString(r.ID) {
			t.Errorf("the id %q is not one, or there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Why == "" || strings.ContainsAny(r.Why, "\n\t") || len(r.Why) > 140 {
			t.Errorf("%s: %q does not explain it in a line", r.ID, r.Why)
		}
		if r.ID == "circle" {
			continue // takes rules of one's own, see TestCircles
		}
		name, rule := n.Name(r.In)
		if name != r.Out || !slices.Contains(strings.Split(rule, "+"), r.ID) {
			t.Errorf("%s: Name(%q) = %q by %q, want %q", r.ID, r.In, name, rule, r.Out)
		}
		if name == r.In {
			t.Errorf("%s: the example %q shows nothing", r.ID, r.In)
		}
	}
}

// One shop each, as it is written on bills.
func TestTogether(t *testing.T) {
	t.Parallel()
	n := normaliser(t)
	for want, raws := range map[string][]string{
		"GOOGLE ADS":          {"GOOGLE *ADS1234", "GOOGLE *ADS1234567890", "Google Ads 9876543210", "GOOGLE*ADS 1234567890 CC@GOOGLE.COM IE", "GOOGLE *ADWS7654321098", "GOOGLE ADS"},
		"GOOGLE CLOUD":        {"GOOGLE*CLOUD 2K4XYZ", "GOOGLE *CLOUD_EXAMPLE", "Google Cloud", "GOOGLE *GOOGLE CLOUD 9X8Y7Z G.CO/HELPPAY#"},
		"GOOGLE ONE":          {"GOOGLE *Google One", "GOOGLE *GOOGLE ONE G.CO/HELPPAY# CA", "GOOGLE ONE"},
		"FACEBOOK":            {"FACEBK *ABC123", "FACEBK *RLTG5H9TJ2 650-5434800 CA", "FACEBK* 9XYZ8 fb.me/ads", "Facebook"},
		"AMAZON MARKETPLACE":  {"AMZN Mktp US*2K4AB1CD3", "AMZN Mktp DE", "AMAZON MKTPLACE PMTS", "AMZN MKTP US*AB1CD2 AMZN.COM/BILL WA", "Amazon Marketplace"},
		"AMAZON.COM":          {"AMAZON.COM*2K4AB1CD3", "Amazon.com*A1B2C3 AMZN.COM/BILL WA"},
		"AMAZON WEB SERVICES": {"Amazon Web Services", "AMAZON WEB SERVICES, INC.", "AMAZON WEB SERVICES 206-555-0100 WA"},
		"APPLE":               {"APPLE.COM/BILL", "APPLE.COM/BILL 866-712-7753 CA", "Apple.com/bill +1 8005550123"},
		"UBER TRIP":           {"UBER   *TRIP", "UBER *TRIP HELP.UBER.COM", "Uber* Trip help.uber.com CA", "UBER TRIP"},
		"UBER EATS":           {"UBER *EATS", "UBER * EATS HELP.UBER.COM"},
		"MICROSOFT":           {"MSFT * E0400ABCDE", "MICROSOFT*G012345678", "Microsoft Corporation"},
		"EXAMPLE":             {"PAYPAL *EXAMPLE", "PP*EXAMPLE", "PAYPAL *SQ *EXAMPLE INC", "Example", "EXAMPLE, INC.", "Example Pte. Ltd.", "EXAMPLE CO., LTD", "EXAMPLE CO.,LTD.", "EXAMPLE GmbH & Co. KG", "EXAMPLE UG (haftungsbeschränkt)", "EXAMPLE SDN BHD", "EXAMPLE S.A. DE C.V.", "ＥＸＡＭＰＬＥ　ＬＴＤ", "Example\u200b\tLLC DE"},
		"EXAMPLE KOREA CO":    {"EXAMPLE KOREA CO"},
		"SMITH & CO":          {"SMITH & CO LTD", "Smith & Co, Inc."},
		"SMITH AND CO":        {"SMITH AND CO LTD"},
		"7-ELEVEN":            {"7-ELEVEN", "7-Eleven 34567", "7-ELEVEN #1234", "7-ELEVEN 34567 AUSTIN TX"},
		"24 HOUR FITNESS":     {"24 HOUR FITNESS", "24 Hour Fitness #00123", "24 HOUR FITNESS, INC."},
		"3M":                  {"3M", "3M 123456", "PAYPAL *3M"},
		"STUDIO 54":           {"STUDIO 54", "Studio 54 LLC"},
		"FOREVER 21":          {"FOREVER 21", "FOREVER 21 #0123"},
		"BLUE CUP":            {"SQ *BLUE CUP", "TST* Blue Cup #12", "SP * BLUE CUP", "BLUE CUP 0042", "BLUE CUP 512-555-0123", "BLUE CUP (512) 555-0123 TX"},
		"EXAMPLESOFT":         {"PADDLE.NET* EXAMPLESOFT", "2CO.COM|EXAMPLESOFT", "2CO.COM*EXAMPLESOFT", "FS *EXAMPLESOFT"},
		"COFFEE SHOP":         {"COFFEE SHOP", "Coffee Shop #12", "COFFEE SHOP NO. 1234", "COFFEE SHOP#1234"},
		"STARBUCKS STORE":     {"STARBUCKS STORE 12345", "STARBUCKS STORE #1234"},
		"EXAMPLE AI":          {"Example AI, LLC", "EXAMPLE AI INC. SAN FRANCISCO CA"},
		"X":                   {"PADDLE.NET* X", "PAYPAL *X"},
		"PAYPAL":              {"PAYPAL *402935", "PayPal", "PAYPAL*"},
		"ALIPAY":              {"ALIPAY*", "Alipay"},
		"星星科技":                {"星星科技有限公司", "星星科技有限公司上海分公司", "星星科技 有限责任公司", "星星科技股份有限公司"},
		"星星科技(上海)":            {"星星科技（上海）有限公司"},
		"EXAMPLE SOFTWARE":    {"EXAMPLE SOFTWARE 有限公司"},
		"星星咖啡":                {"星星咖啡（南京西路店）", "财付通-星星咖啡", "微信支付 - 星星咖啡"},
		"スター":                 {"株式会社スター", "スター(株)", "ｽﾀｰ 株式会社"},
		"CAFÉ EXEMPLE":        {"Café Exemple", "Cafe\u0301 Exemple SARL"},
		"EXAMPLE.COM":         {"www.example.com", "HTTPS://WWW.EXAMPLE.COM/", "example.com"},
	} {
		for _, raw := range raws {
			if got, rule := n.Name(raw); got != want {
				t.Errorf("Name(%q) = %q by %q, want %q", raw, got, rule, want)
			}
		}
	}
}

// Companies that must not fall together, and names that look as if something could
// be taken away: each stays what it is, but for capitals.
func TestApart(t *testing.T) {
	t.Parallel()
	n := normaliser(t)
	seen := make(map[string]string)
	for _, raw := range []string{
		"7-ELEVEN", "24 HOUR FITNESS", "3M", "STUDIO 54", "STUDIO 55", "FOREVER 21", "MOTEL 6", "SUPER 8", "PIER 39", "AREA 51", "CAFE 1872", "CAFE 1873",
		"99 RANCH", "1-800-FLOWERS", "1-800-FLOWERS.COM", "7 FOR ALL MANKIND", "20TH CENTURY STUDIOS", "B2B", "O2", "H3G", "Q8", "1&1", "76", "365 MARKET",
		"COFFEE SHOP 101", "COFFEE", "IT SHOP 365", "THE APP STORE 2024", "EXPO 2020-2021", "CHANEL NO. 5", "SHOP SUPPORT.ACME.COM", "SHOP WWW.ACME.COM", "ACME.NET/BILL",
		"DELTA INC TRADING CO", "DELTA INC PARTNERS IN", "PRIVATE LIMITED",
		"ROUTE 66", "ROUTE #66 DINER", "LEVEL 9", "CHANNEL 4", "CHINA WOK #1", "CHINA WOK #2", "STORE 24", "WINDOW 2000",
		"AMAZON WEB SERVICES", "AMAZON MARKETPLACE", "AMAZON.COM", "AMAZON.DE", "AMAZON PRIME", "AMAZON FRESH", "AMAZON", "AWS EMEA",
		"GOOGLE ADS", "GOOGLE CLOUD", "GOOGLE ONE", "GOOGLE WORKSPACE", "GOOGLE CLOUD JAPAN", "GOOGLE PLAY", "GOOGLE", "YOUTUBE",
		"FACEBOOK", "META PLATFORMS", "APPLE", "APPLE STORE", "APPLE.COM", "APPLE TREE CAFE", "MICROSOFT", "MICROSOFT ADVERTISING", "MICROSOFT AZURE",
		"UBER", "UBER TRIP", "UBER EATS", "UBERALL", "PAYPAL", "ALIPAY", "ALIBABA", "SQUARE", "SQ", "PADDLE", "PADDLE BOARD HIRE", "FS", "SPOTIFY", "SPOTIFY PREMIUM",
		"BOOKING.COM", "HOTELS.COM", "MONDAY.COM", "NETFLIX.COM", "NETFLIX", "2CO",
		"THE LIMITED", "LTD COMMODITIES", "INC", "DAY SPA", "CLOTHING CO", "CLOTHING", "MIDSOUTH AG", "MIDSOUTH", "LA CAFE SA", "RENO NV", "SMITH & CO", "SMITH",
		"PORTLAND OR", "PORTLAND", "MADE IN", "CAFE DE", "AUSTIN TX", "CITY OF AUSTIN TX", "CITY OF DALLAS TX",
		"ORDER 66", "MAIL ORDER", "INVOICE NINJA", "REF 12", "THE SHOP 2", "UNIT 12", "UNKNOWNPAY *BLUE CUP", "UNKNOWNPAY *7ELEVEN", "UNKNOWNPAY *STUDIO54",
		"星星", "星星集团", "星星科技", "星星科技(上海)", "星星科技(北京)", "7天酒店", "有限公司", "北京", "全家便利店", "ООО РОМАШКА", "ΩMEGA", "별다방", "スター",
		"TOYS R US", "BABIES R US", "IN-N-OUT", "DR PEPPER", "SP PLUS", "PP", "IZ", "T-MOBILE", "A&W", "AT&T", "C&A", "H&M",
	} {
		got, rule := n.Name(raw)
		if got != raw || rule != "" {
			t.Errorf("Name(%q) = %q by %q, want it as it is", raw, got, rule)
		}
		if lower, _ := n.Name(strings.ToLower(raw)); lower != got {
			t.Errorf("Name(%q) = %q, but in capitals %q", strings.ToLower(raw), lower, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", other, raw, got)
		}
		seen[got] = raw
	}
}

// The rules are all that was used, in their order.
func TestRuleIDs(t *testing.T) {
	t.Parallel()
	n := normaliser(t, merchant.Own{Pattern: "^acme", Name: "Acme"})
	for _, tt := range []struct{ raw, name, rule string }{
		{"EXAMPLE", "EXAMPLE", ""},
		{"", "", ""},
		{"  ", "  ", ""},
		{"\u200b\x00", "\u200b\x00", ""},
		{"****", "****", ""},
		{"12345", "12345", ""},
		{"\xff", "\ufffd", "forms"},
		{"PayPal  *SQ *Example Co., Ltd.", "EXAMPLE", "blanks+case+via.paypal+via.square+legal.co"},
		{"ＡＣＭＥ 12", "Acme", "forms+own.1"},
		{"Acme", "Acme", "own.1"},
		{"ACME*1", "Acme", "own.1"},
	} {
		if name, rule := n.Name(tt.raw); name != tt.name || rule != tt.rule {
			t.Errorf("Name(%q) = %q, %q, want %q, %q", tt.raw, name, rule, tt.name, tt.rule)
		}
	}
}

func TestOwnRules(t *testing.T) {
	t.Parallel()
	n := normaliser(t,
		merchant.Own{Pattern: `^GOOGLE ?\*?ADS`, Name: "Google Ads Ltd"},
		merchant.Own{Pattern: `\bads\b`, Name: "Advertising"},
		merchant.Own{Pattern: `^ACME (\w+) STORE`, Name: "acme $1 inc"},
		merchant.Own{Pattern: `^PRICE (\d+)`, Name: "Costs $$$1"},
		merchant.Own{Pattern: `^EMPTY(\d*)`, Name: "$1"},
		merchant.Own{Pattern: `^EMPTY`, Name: "Was empty"},
		merchant.Own{Pattern: `(?-i:^exact)`, Name: "Exact"},
		merchant.Own{Pattern: `^first`, Name: "SECOND"},
		merchant.Own{Pattern: `^second`, Name: "Third"},
	)
	for _, tt := range []struct{ raw, name, rule string }{
		{"GOOGLE *ADS1234", "Google Ads Ltd", "own.1"}, // its name stays as it is written, LTD too
		{"Google Ads Ltd", "Google Ads Ltd", "own.1"},  // the first that matches
		{"SOME ADS", "Advertising", "own.2"},
		{"Advertising", "Advertising", ""},
		{"ADVERTISING", "ADVERTISING", ""},
		{"acme north store 1", "ACME NORTH", "own.3+case+legal"}, // a made name is cleaned like any other
		{"PRICE 7", "COSTS $7", "own.4+case"},
		{"EMPTY12345x", "12345", "own.5"},
		{"EMPTY", "Was empty", "own.6"},
		{"EXACT", "EXACT", ""},
		{"exact", "Exact", "own.7"},
		{"FIRST", "Third", "own.8+own.9"},
		{"PAYPAL *FIRST", "Third", "via.paypal+own.8+own.9"},
	} {
		if name, rule := n.Name(tt.raw); name != tt.name || rule != tt.rule {
			t.Errorf("Name(%q) = %q, %q, want %q, %q", tt.raw, name, rule, tt.name, tt.rule)
		}
	}
}

// Own rules that never come to an end leave names alone.
func TestCircles(t *testing.T) {
	t.Parallel()
	n := normaliser(t,
		merchant.Own{Pattern: "^FOO$", Name: "BAR"}, merchant.Own{Pattern: "^BAR$", Name: "FOO"},
		merchant.Own{Pattern: "^(GROW.*)", Name: "$1$1 more"},
		merchant.Own{Pattern: "^(COUNT *)(.*)", Name: "$1 x $2"},
	)
	for raw, want := range map[string]string{"FOO": "FOO", "BAR": "BAR", " bar": "bar", "PAYPAL *Foo": "PAYPAL *Foo", "GROW": "GROW", "COUNT me": "COUNT me", "C ltd": "C"} {
		name, rule := n.Name(raw)
		if name != want || strings.HasSuffix(rule, "circle") != (raw != "C ltd") {
			t.Errorf("Name(%q) = %q by %q, want %q", raw, name, rule, want)
		}
		if again, _ := n.Name(name); again != name {
			t.Errorf("Name(%q) = %q, and then %q", raw, name, again)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, own := range []merchant.Own{{Pattern: "(", Name: "x"}, {Pattern: "x", Name: " "}, {Pattern: "x", Name: ""}} {
		_, err := merchant.New([]merchant.Own{{Pattern: "a", Name: "b"}, own})
		if err == nil || !strings.HasPrefix(err.Error(), "own rule 2: ") {
			t.Errorf("New with %+v: %v", own, err)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	a, b := merchant.Own{Pattern: "a", Name: "b"}, merchant.Own{Pattern: "b", Name: "c"}
	for _, own := range [][]merchant.Own{nil, {a}, {b}, {a, b}, {b, a}, {{Pattern: "a", Name: "B"}}, {{Pattern: "ab", Name: ""}}} {
		if len(own) == 1 && own[0].Name == "" {
			own[0] = merchant.Own{Pattern: `a" "b`, Name: "c"}
		}
		v := normaliser(t, own...).Version()
		if len(v) != 12 || v != normaliser(t, own...).Version() {
			t.Errorf("%v: the version %q is not short, or another one each time", own, v)
		}
		if other, ok := seen[v]; ok {
			t.Errorf("%v has the version of %s", own, other)
		}
		seen[v] = fmt.Sprint(own)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	rules := normaliser(t, merchant.Own{Pattern: "a", Name: "b"}).Rules()
	if len(rules) != len(merchant.Builtin())+1 || rules[0].ID != "own.1" || rules[0].Pattern != "a" || rules[0].Name != "b" {
		t.Errorf("Rules() begins with %+v of %d", rules[0], len(rules))
	}
}

// Each legal form is found by the quick look before its expression.
func TestLegalForms(t *testing.T) {
	t.Parallel()
	n := normaliser(t)
	patterns, _ := merchant.LegalForms()
	for _, p := range patterns {
		form := strings.NewReplacer(`\.?`, "", `\`, "").Replace(p)
		for _, raw := range []string{"EXAMPLE " + form, "EXAMPLE, " + form + ".", "EXAMPLE," + form} {
			if got, rule := n.Name(raw); got != "EXAMPLE" {
				t.Errorf("Name(%q) = %q by %q, want EXAMPLE", raw, got, rule)
			}
		}
	}
}

// check says what every name must be like.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, n, slow *merchant.Normaliser, raw string) {
	t.Helper()
	name, rule := n.Name(raw)
	if again, _ := n.Name(name); again != name {
		t.Fatalf("Name(%q) = %q by %q, and then %q", raw, name, rule, again)
	}
	if (name == "") != (raw == "") {
		t.Fatalf("Name(%q) = %q by %q", raw, name, rule)
	}
	if name != raw && !utf8.ValidString(name) {
		t.Fatalf("Name(%q) = %q is not UTF-8", raw, name)
	}
	if (name == raw) != (rule == "") && !strings.Contains(rule, "own.") && rule != "long" && rule != "circle" {
		t.Fatalf("Name(%q) = %q by %q", raw, name, rule)
	}
	if s, r := slow.Name(raw); s != name || r != rule {
		t.Fatalf("Name(%q) = %q by %q, but without quick looks %q by %q", raw, name, rule, s, r)
	}
	if strings.ContainsFunc(raw, unicode.IsLetter) && !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || r == utf8.RuneError }) && !strings.Contains(rule, "own.") {
		t.Fatalf("Name(%q) = %q by %q: no letter is left", raw, name, rule)
	}
}

// parts are what the names of the property test are made of.
func parts() []string {
	all := []string{" ", "  ", "*", " *", ",", ", ", ".", "#", "-", "/", "|", "(", ")", "_", "&", "\t", "\u3000", "A", "b", "é", "e\u0301", "ß", "İ", "ﬁ", "中", "店", "（", "株式会社",
		"1", "12", "00123", "12345", "12-34567", "800-555-0123", "+44 20 7946 0958", "GOOGLE", "UBER", "AMZN", "MKTP", "US", "TX", "CA", "AUSTIN", "LTD", "Co.", "INC.", "LLC",
		"GMBH", "有限公司", "上海分公司", "THE", "AND", ".COM", "/BILL", "WWW.", "HTTPS://", "HELP.UBER.COM", "ORDER", "STORE", "FACEBK", "MSFT", "EBAY O", "PAYPAL", "SQ", "ZETTLE_", "支付宝-"}
	for _, r := range merchant.Builtin() {
		all = append(all, r.In, r.Out)
	}
	return all
}

func TestNameProperties(t *testing.T) {
	t.Parallel()
	pieces := parts()
	own := []merchant.Own{{Pattern: "^A(.*)", Name: "b$1"}, {Pattern: "b+", Name: "UBER *A"}, {Pattern: "ltd", Name: "Example Ltd"},
		{Pattern: "^austin$", Name: "Austin 2"}, {Pattern: "^austin 2$", Name: "AUSTIN"}}
	plain, mine := normaliser(t), normaliser(t, own...)
	slowPlain, slowMine := plain.Slow(), mine.Slow()
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "parts"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
		if rapid.Bool().Draw(t, "any") {
			raw += rapid.String().Draw(t, "text")
		}
		check(t, plain, slowPlain, raw)
		check(t, mine, slowMine, raw)
		if _, rule := plain.Name(raw); strings.Contains(rule, "circle") {
			t.Fatalf("Name(%q): the built-in rules go round in circles", raw)
		}
	})
}

// Every character there is comes through.
func TestEveryCharacter(t *testing.T) {
	t.Parallel()
	n := normaliser(t)
	for r := rune(0); r < 0x20000; r++ {
		for _, raw := range []string{string(r), "A" + string(r) + "B"} {
			name, rule := n.Name(raw)
			if again, _ := n.Name(name); again != name || name == "" {
				t.Fatalf("Name(%q) = %q by %q, and then %q", raw, name, rule, again)
			}
		}
	}
}

// However much there is to take away, the end is reached.
func TestLongNames(t *testing.T) {
	t.Parallel()
	n := normaliser(t)
	for _, part := range []string{" INC", " 12345", " #12", "*", "SQ *", "PAYPAL*", " LLC US", " (店)", " ORDER 12345", "*A ", " HELP.A.CO", "WWW.", "株式会社", "有限公司"} {
		for _, count := range []int{1, 5, 30, 70, 1000} {
			raw := strings.TrimSpace("EXAMPLE" + strings.Repeat(part, count))
			if strings.HasSuffix(part, "*") || part == "WWW." {
				raw = strings.Repeat(part, count) + "EXAMPLE"
			}
			check(t, n, n.Slow(), raw)
			name, rule := n.Name(raw)
			if strings.Contains(rule, "circle") {
				t.Errorf("Name(%q) = %q by %q", raw, name, rule)
			}
		}
	}
}

func FuzzName(f *testing.F) {
	for _, part := range parts() {
		f.Add(part, `^(\w+) X`, "$1")
	}
	f.Add("A B", "B", "A $0")
	n := normaliser(f)
	slow := n.Slow()
	f.Fuzz(func(t *testing.T, raw, pattern, name string) {
		check(t, n, slow, raw)
		if _, rule := n.Name(raw); strings.Contains(rule, "circle") {
			t.Fatalf("Name(%q) by %q", raw, rule)
		}
		if mine, err := merchant.New([]merchant.Own{{Pattern: pattern, Name: name}, {Pattern: "^A", Name: "B"}}); err == nil {
			check(t, mine, mine.Slow(), raw)
		}
	})
}

func BenchmarkName(b *testing.B) {
	n := normaliser(b)
	for _, raw := range []string{"EXAMPLE CLOUD", "Example Coffee #1234 Austin TX", "GOOGLE *ADS1234567890", "PAYPAL *EXAMPLE TRADING CO., LTD", "星星科技（上海）有限公司", "AMZN Mktp US*2K4AB1CD3 AMZN.COM/BILL WA"} {
		b.Run(raw, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				n.Name(raw)
			}
		})
	}
}
