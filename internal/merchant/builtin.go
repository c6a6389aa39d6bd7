package merchant

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Builtin returns the rules that are always there, in their order. Those with an
// expression see a tidied name in capitals.
func Builtin() []Rule { return slices.Clone(builtin()) }

// builtin compiles the rules when they are first asked for.
var builtin = sync.OnceValue(func() []Rule {
	rules := slices.Concat(forms(), processors(), brands(), tails(), companies(), edges())
	for i := range rules {
		if r := &rules[i]; r.Pattern != "" {
			r.re = regexp.MustCompile(r.Pattern)
		}
	}
	return rules
})

// forms are the rules that are code; see [tidy] and [Normaliser.Name].
func forms() []Rule {
	return []Rule{
		{ID: idForms, Why: "full-width and half-width letters, ligatures and accents are written one way; ™ and unseen signs are dropped",
			In: "ＥＸＡＭＰＬＥ™", Out: "EXAMPLE"},
		{ID: idBlanks, Why: "one blank instead of several, none at the ends",
			In: " EXAMPLE   CLOUD ", Out: "EXAMPLE CLOUD"},
		{ID: idCase, Why: "all letters are capitals; names of own rules stay as they are written",
			In: "Example Cloud", Out: "EXAMPLE CLOUD"},
		{ID: idLong, Why: "more than 200 characters are no name: no other rule is tried",
			In: strings.Repeat("Long ", 50), Out: strings.Repeat("Long ", 49) + "Long"},
		{ID: idCircle, Why: "own rules send this name round in circles or let it grow without end: no rule is used"},
	}
}

// The quick looks below spare most names most expressions; each is true for every
// text that its expression matches.

func has(char byte) func(string) bool {
	return func(text string) bool { return strings.IndexByte(text, char) >= 0 }
}

func contains(some ...string) func(string) bool {
	return func(text string) bool {
		for _, s := range some {
			if strings.Contains(text, s) {
				return true
			}
		}
		return false
	}
}

func starts(with ...string) func(string) bool {
	return func(text string) bool {
		for _, s := range with {
			if text[0] == s[0] && strings.HasPrefix(text, s) {
				return true
			}
		}
		return false
	}
}

// ends looks at the last letters of a text.
func ends(with ...string) func(string) bool {
	return func(text string) bool {
		for _, s := range with {
			if strings.HasSuffix(text, s) {
				return true
			}
		}
		return false
	}
}

// lastWord looks at the last word of a text, but for points and brackets around it.
func lastWord(words ...string) func(string) bool {
	known := make(map[string]bool, len(words))
	for _, w := range words {
		known[w] = true
	}
	return func(text string) bool {
		word := strings.TrimRight(text[strings.LastIndexAny(text, " ,")+1:], ".)")
		return known[strings.TrimLeft(word, "(")]
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func endsInDigit(text string) bool { return isDigit(text[len(text)-1]) }

// manyDigits is true for the eight digits that a telephone number has at least.
func manyDigits(text string) bool {
	n := 0
	for i := range len(text) {
		if isDigit(text[i]) {
			n++
		}
	}
	return n >= 8
}

// endsInState is true for text that ends in a word of two letters, or in USA.
func endsInState(text string) bool {
	n := len(text)
	return n > 3 && (text[n-3] == ' ' || text[n-3] == ',') || strings.HasSuffix(text, " USA")
}

// processors are the companies between card and shop that write their own name
// before the shop's.
func processors() []Rule {
	via := func(id, company string, names []string, sign, in, out string) Rule {
		var quoted []string
		for _, name := range names {
			quoted = append(quoted, regexp.QuoteMeta(name))
		}
		return Rule{ID: "via." + id, Pattern: `^(?:` + strings.Join(quoted, "|") + `) ?` + sign + `+ ?`, In: in, Out: out,
			Why: "paid through " + company + ": what follows is the shop", when: starts(names...)}
	}
	is := func(names ...string) []string { return names }
	const star = `\*`
	return []Rule{
		via("paypal", "PayPal", is("PAYPAL", "PP"), star, "PAYPAL *EXAMPLE", "EXAMPLE"),
		via("square", "Square", is("SQ"), star, "SQ *BLUE CUP", "BLUE CUP"),
		via("toast", "Toast", is("TST"), star, "TST* BLUE CUP", "BLUE CUP"),
		via("shopify", "Shopify", is("SP"), star, "SP * EXAMPLE SHOES", "EXAMPLE SHOES"),
		via("worldpay", "Worldpay", is("WPY"), star, "WPY*EXAMPLE", "EXAMPLE"),
		via("fastspring", "FastSpring", is("FS"), star, "FS *EXAMPLESOFT", "EXAMPLESOFT"),
		via("2checkout", "2Checkout", is("2CO.COM", "2CO", "2CHECKOUT.COM"), `[*|]`, "2CO.COM|EXAMPLESOFT", "EXAMPLESOFT"),
		via("paddle", "Paddle", is("PADDLE.NET", "PADDLE.COM", "PADDLE"), star, "PADDLE.NET* EXAMPLESOFT", "EXAMPLESOFT"),
		via("alipay", "Alipay", is("ALIPAY"), star, "ALIPAY*EXAMPLE", "EXAMPLE"),
		via("wallet", "Alipay or WeChat Pay", is("支付宝", "支付寶", "财付通", "財付通", "微信支付"), `[-*]`, "支付宝-星星超市", "星星超市"),
		via("zettle", "Zettle", is("ZETTLE_", "ZETTLE", "IZETTLE", "IZ"), star, "ZETTLE_*BLUE CUP", "BLUE CUP"),
		via("sumup", "SumUp", is("SUMUP"), star, "SUMUP  *BLUE CUP", "BLUE CUP"),
		via("intuit", "Intuit", is("IN"), star, "IN *EXAMPLE PLUMBING", "EXAMPLE PLUMBING"),
		via("digitalriver", "Digital River", is("DRI"), star, "DRI*EXAMPLESOFT", "EXAMPLESOFT"),
		via("checkout", "Checkout.com", is("CKO"), star, "CKO*EXAMPLE", "EXAMPLE"),
		via("lemonsqueezy", "Lemon Squeezy", is("LEMSQZY"), star, "LEMSQZY* EXAMPLESOFT", "EXAMPLESOFT"),
		via("xsolla", "Xsolla", is("XSOLLA"), star, "XSOLLA *EXAMPLEGAME", "EXAMPLEGAME"),
		via("klarna", "Klarna", is("KLARNA"), star, "KLARNA*EXAMPLE SHOES", "EXAMPLE SHOES"),
		via("apple", "Apple's own acquirer", is("APL"), star, "APL*EXAMPLE STORE", "EXAMPLE STORE"),
	}
}

// brands are companies whose own abbreviations and order numbers are known.
func brands() []Rule {
	google, amazon := starts("GOOGLE"), starts("AMZN", "AMAZON", "AUDIBLE", "KINDLE", "PRIME VIDEO")
	return []Rule{
		{ID: "google.ads", Pattern: `^GOOGLE ?\*? ?(?:ADS|ADWS|ADWORDS)(?: ?[0-9]{3,}(?: .*)?)?$`, Name: "GOOGLE ADS",
			Why: "Google Ads with the number of the advertiser", In: "GOOGLE *ADS1234567890", Out: "GOOGLE ADS", when: google},
		{ID: "google.account", Pattern: `^GOOGLE ?\*? ?(CLOUD|WORKSPACE|GSUITE)(?:_.*| [A-Z0-9]*[0-9][A-Z0-9]*)$`, Name: "GOOGLE $1",
			Why: "Google Cloud and Workspace with a code or the customer's name", In: "GOOGLE*CLOUD 2K4XYZ", Out: "GOOGLE CLOUD", when: google},
		{ID: "google.twice", Pattern: `^GOOGLE ?\*? ?GOOGLE `, Name: "GOOGLE ",
			Why: "Google's name is there twice", In: "GOOGLE *Google One", Out: "GOOGLE ONE", when: google},
		{ID: "facebook", Pattern: `^(?:FACEBK(?: .*| ?\*.*)?|FACEBOOK ?\*.*)$`, Name: "FACEBOOK",
			Why: "Facebook's abbreviation, with the code of the charge", In: "FACEBK *ABC123XYZ9", Out: "FACEBOOK", when: starts("FACEB")},
		{ID: "amazon.marketplace", Pattern: `^(?:AMZN|AMAZON) ?\*? ?(?:MKTP|MKTPL|MKTPLC|MKTPLACE|MARKETPLACE)(?: PMTS| PAYMENTS)?(?: ` + amazonCountries + `)?(?: ?\*.*)?$`,
			Name: "AMAZON MARKETPLACE", Why: "sellers at Amazon, of any country, with the order", In: "AMZN Mktp US*2K4AB1CD3", Out: "AMAZON MARKETPLACE", when: amazon},
		{ID: "amazon.order", Pattern: `^(AMAZON(?:\.[A-Z.]+)?|AMAZON PRIME|AMAZON DIGITAL|AMZN DIGITAL|PRIME VIDEO|KINDLE SVCS|AUDIBLE) ?\* ?[A-Z0-9]*[0-9][A-Z0-9]*$`, Name: "$1",
			Why: "an order at Amazon itself", In: "AMAZON.COM*2K4AB1CD3", Out: "AMAZON.COM", when: amazon},
		{ID: "microsoft", Pattern: `^MSFT ?\* ?`, Name: "MICROSOFT *",
			Why: "Microsoft's abbreviation", In: "MSFT *AZURE", Out: "MICROSOFT AZURE", when: starts("MSFT")},
		{ID: "microsoft.invoice", Pattern: `^MICROSOFT ?\* ?<?[EG][0-9][0-9A-Z]{6,}>?$`, Name: "MICROSOFT",
			Why: "Microsoft with the number of an invoice", In: "MSFT * E0400ABCDE", Out: "MICROSOFT", when: starts("MICROSOFT")},
		{ID: "ebay.order", Pattern: `^EBAY O ?\* ?[0-9-]+$`, Name: "EBAY",
			Why: "an order at eBay", In: "EBAY O*12-34567-89123", Out: "EBAY", when: starts("EBAY")},
		{ID: "airbnb", Pattern: `^AIRBNB ?\* ?HM[A-Z0-9]{6,10}$`, Name: "AIRBNB",
			Why: "a booking at Airbnb", In: "AIRBNB * HMABCD12EF", Out: "AIRBNB", when: starts("AIRBNB")},
		{ID: "dropbox", Pattern: `^DROPBOX ?\* ?[A-Z0-9]+$`, Name: "DROPBOX",
			Why: "Dropbox with the code of the charge", In: "DROPBOX*2KX3V5W7Y9", Out: "DROPBOX", when: starts("DROPBOX")},
		{ID: "spotify", Pattern: `^SPOTIFY P[0-9A-F]{8,}$`, Name: "SPOTIFY",
			Why: "Spotify with the code of the charge", In: "Spotify P0A1B2C3D4", Out: "SPOTIFY", when: starts("SPOTIFY")},
		{ID: "star.brand", Pattern: `^(GOOGLE|UBER|LYFT|MICROSOFT|ADOBE|OPENAI|INTUIT|LINKEDIN|AMAZON) ?\*+ ?(\pL)`, Name: "$1 $2",
			Why: "a company and which of its services", In: "UBER   *TRIP", Out: "UBER TRIP", when: has('*')},
	}
}

const amazonCountries = `(?:US|CA|MX|BR|UK|GB|IE|DE|FR|IT|ES|NL|BE|SE|PL|TR|AE|SA|EG|IN|JP|SG|AU)`

// states of the United States as banks write them behind cities.
const states = `(?:AL|AK|AZ|AR|CA|CO|CT|DC|DE|FL|GA|HI|IA|ID|IL|IN|KS|KY|LA|MA|MD|ME|MI|MN|MO|MS|MT|NC|ND|NE|NH|NJ|NM|NV|NY|OH|OK|OR|PA|PR|RI|SC|SD|TN|TX|UT|VA|VT|WA|WI|WV|WY)`

// statesOnly are those that are nothing else: CO is a company, PA a practice, MD a
// physician, IN and ME are words.
const statesOnly = `(?:AZ|CA|CT|FL|GA|IL|KS|KY|MA|MI|MN|MO|NC|NH|NJ|NV|NY|OH|RI|SC|TN|TX|UT|VA|VT|WA|WI|WY)`

// tails are what shops and banks write behind the name. Numbers are taken away
// only where they cannot be part of it: STUDIO 54, FOREVER 21 and CAFE 1872 stay.
// Cities go only behind a number or a legal form: they often are names themselves.
func tails() []Rule {
	const label = `(?:ORDER|ORD|INVOICE|INV|REF|REFERENCE|BOOKING|RESERVATION|TRANSACTION|TXN)`
	return []Rule{
		{ID: "web.www", Pattern: `^(?:HTTPS?://(?:WWW\.)?|WWW\.)`,
			Why: "how a web address begins", In: "WWW.EXAMPLE-SHOP.COM", Out: "EXAMPLE-SHOP.COM", when: starts("HTTP", "WWW.")},
		{ID: "web.help", Pattern: `,? (?:HTTPS?://)?(?:HELP\.UBER\.COM|G\.CO/HELPPAY#?|CC@GOOGLE\.COM|FB\.ME/(?:ADS|CC)|AMZN\.COM/BILL|LNKD\.IN/BILL|(?:APPLE|ITUNES)\.COM/BILL)(?: ?[A-Z]{2})?$`,
			Why: "a known address for questions about the charge", In: "UBER *TRIP HELP.UBER.COM", Out: "UBER TRIP",
			when: contains("HELP.UBER", "G.CO/", "CC@", "FB.ME/", ".COM/BILL", ".IN/BILL")},
		{ID: "web.bill", Pattern: `\.COM/BILL$`,
			Why: "the page about the charge at the company's own address", In: "APPLE.COM/BILL", Out: "APPLE", when: has('/')},
		{ID: "phone", Pattern: `,? (?:(?:TEL|PH)[.:]* ?)?(?:(?:\+?[0-9]{1,2}[ .-]?)?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-]?[0-9]{4}|\+[0-9](?:[ .()-]?[0-9]){7,14}|[0-9]{10} [A-Z]{2})(?: [A-Z]{2})?(?: (?:US|USA|CA|CAN))?$`,
			Why: "a telephone number, perhaps with a state and country", In: "EXAMPLE HOTEL 800-555-0123 CA", Out: "EXAMPLE HOTEL", when: manyDigits},
		{ID: "star.number", Pattern: ` ?\*+ ?[0-9][0-9-]{3,}$`,
			Why: "a number behind a star", In: "SHOPIFY* 123456789", Out: "SHOPIFY", when: endsInDigit},
		{ID: "order", Pattern: `,? ` + label + `(?: ?(?:NO|NR|NUMBER|ID))?[ .:#-]*[A-Z]{0,4}-?[0-9][0-9A-Z-]{3,}$`,
			Why: "the number of an order, said to be one", In: "EXAMPLE BOOKS ORDER NO. A-12345", Out: "EXAMPLE BOOKS", when: contains("ORD", "INV", "REF", "BOOKING", "RESERVATION", "TRANSACTION", "TXN")},
		{ID: "order.number", Pattern: `,? (?:[0-9]{2,}-[0-9]{5,}(?:-[0-9]+)*|[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12})$`,
			Why: "a number with dashes, as shops number orders", In: "EXAMPLE BOOKS 111-1234567-7654321", Out: "EXAMPLE BOOKS", when: has('-')},
		{ID: "store.city", Pattern: `,? (?:# ?[0-9]{3,}|[0-9]{5,}),? [A-Z][A-Z .'-]*,? ` + states + `(?: (?:US|USA))?$`,
			Why: "the number of a branch, its city and state", In: "EXAMPLE COFFEE #1234 AUSTIN TX", Out: "EXAMPLE COFFEE", when: endsInState},
		{ID: "store", Pattern: `,? ?(?:# ?[A-Z]?[0-9]{2,}|\bNO\.? ?[0-9]{4,})$`,
			Why: "the number of a branch, said to be one; words such as STORE stay, they may be the name", In: "24 HOUR FITNESS #123", Out: "24 HOUR FITNESS", when: endsInDigit},
		{ID: "number", Pattern: `,? (?:[0-9]{5,}|0[0-9]{3,})$`,
			Why: "a last number of five digits or more, or with a 0 before it: no part of a name", In: "7-ELEVEN 34567", Out: "7-ELEVEN", when: endsInDigit},
		{ID: "store.chinese", Pattern: ` ?\([^()]*店\)$`,
			Why: "a branch in brackets", In: "星星咖啡（南京西路店）", Out: "星星咖啡", when: ends("店)")},
	}
}

// legalForms stand behind names. Those of two letters that are words or places as
// well (AG, CO, NV, SA) count only with their points; SPA, where people bathe,
// likewise.
var legalForms = []string{
	`INC`, `INCORPORATED`, `LLC`, `L\.L\.C`, `LLP`, `L\.L\.P`, `PLC`, `P\.L\.C`, `CORP`, `CORPORATION`,
	`LTD`, `LIMITED`, `PTY\.? LTD`, `PTY\.? LIMITED`, `PVT\.? LTD`, `PVT\.? LIMITED`, `PRIVATE LIMITED`, `PTE\.? LTD`, `PTE\.? LIMITED`, `SDN\.? BHD`,
	`FZE`, `FZCO`, `FZ-LLC`, `W\.L\.L`,
	`GMBH`, `GMBH & CO\.? KG`, `UG \(HAFTUNGSBESCHRÄNKT\)`, `A\.G`, `S\.A`, `N\.V`, `B\.V`, `BV`, `SARL`, `S\.A\.R\.L`, `SAS`, `S\.A\.S`,
	`SRL`, `S\.R\.L`, `S\.P\.A`, `S\.L`, `S\.L\.U`, `LTDA`, `S\.A\. DE C\.V`, `S\.R\.O`, `D\.O\.O`, `SP\. Z O\.O`, `KFT`, `APS`, `A/S`, `OY`, `K\.K`, `KK`,
}

// countries that banks write behind a legal form.
var countries = []string{"US", "USA", "UK", "GB", "IE", "LU", "NL", "DE", "FR", "CH", "SG", "HK", "CN", "JP", "AU", "CA", "AE", "IN"}

// legalEnds are the last words of the forms above, without their last points.
var legalEnds = []string{
	"INC", "INCORPORATED", "LLC", "L.L.C", "LLP", "L.L.P", "PLC", "P.L.C", "CORP", "CORPORATION", "LTD", "LIMITED", "BHD", "FZE", "FZCO", "FZ-LLC", "W.L.L",
	"GMBH", "KG", "HAFTUNGSBESCHRÄNKT", "A.G", "S.A", "N.V", "B.V", "BV", "SARL", "S.A.R.L", "SAS", "S.A.S", "SRL", "S.R.L", "S.P.A", "S.L", "S.L.U",
	"LTDA", "C.V", "S.R.O", "D.O.O", "O.O", "KFT", "APS", "A/S", "OY", "K.K", "KK",
}

// companies are the rules about legal forms, and what stands behind them.
func companies() []Rule {
	const behind = `[ ,](?:INC|LLC|LTD|LIMITED|CORP|GMBH|PLC|BV|B\.V)\.?`
	return []Rule{
		{ID: "legal.country", Pattern: `^(.+` + behind + `),? (?:` + strings.Join(countries, "|") + `)$`, Name: "$1",
			Why: "a country behind a legal form", In: "Example Media LLC US", Out: "EXAMPLE MEDIA", when: lastWord(countries...)},
		{ID: "legal.city", Pattern: `^(.+?[ ,](?:INC|LLC|CORP)\.?),? [A-Z][A-Z .'-]* ` + statesOnly + `$`, Name: "$1",
			Why: "a city and state behind a legal form", In: "EXAMPLE AI LLC SAN FRANCISCO CA", Out: "EXAMPLE AI",
			when: endsInState},
		{ID: "legal.co", Pattern: `(?: ?, ?| )(?:CO\.?,? ?|COMPANY,? )(?:LTD|LIMITED)\.?$`,
			Why: "a legal form with the word company; not where more than one company hides in it (SMITH & CO. LTD)", In: "Example Trading Co., Ltd.", Out: "EXAMPLE TRADING", when: contains("LTD", "LIMITED")},
		{ID: "legal", Pattern: `^(.*?[^ ,])(?: ?, ?| )(?:` + strings.Join(legalForms, "|") + `)\.?$`, Name: "$1",
			Why: "a legal form", In: "Example, Inc.", Out: "EXAMPLE", when: lastWord(legalEnds...)},
		{ID: "legal.branch", Pattern: `(有限公司)[^ ]{2,8}分公司$`, Name: "$1",
			Why: "a branch of a Chinese company", In: "星星科技有限公司上海分公司", Out: "星星科技", when: ends("分公司")},
		{ID: "legal.chinese", Pattern: ` ?(?:股份)?(?:有限责任|有限責任|有限)(?:公司|會社|会社)$`,
			Why: "a Chinese legal form", In: "星星科技股份有限公司", Out: "星星科技", when: ends("公司", "會社", "会社")},
		{ID: "legal.japanese", Pattern: `^(?:株式会社|\(株\)) ?| ?(?:株式会社|\(株\))$`,
			Why: "a Japanese legal form, before or behind", In: "㈱スター", Out: "スター", when: contains("株")},
		{ID: "legal.korean", Pattern: `^(?:주식회사|\(주\)) ?| ?(?:주식회사|\(주\))$`,
			Why: "a Korean legal form, before or behind", In: "(주)별", Out: "별", when: contains("주")},
	}
}

// edges are the last rules: what the others leave hanging.
func edges() []Rule {
	const marks = ` ,;:|/_*-`
	return []Rule{
		{ID: "star", Pattern: ` ?\*+ ?`, Name: " *",
			Why: "a star is written with a blank before it", In: "EXAMPLEPAY* BLUE CUP", Out: "EXAMPLEPAY *BLUE CUP", when: has('*')},
		{ID: "edges", Pattern: `^[` + marks + `]+|[` + marks + `]+$`,
			Why: "punctuation before the name and behind it", In: "ALIPAY*", Out: "ALIPAY",
			when: func(text string) bool {
				return strings.IndexByte(marks, text[0]) >= 0 || strings.IndexByte(marks, text[len(text)-1]) >= 0
			}},
	}
}
