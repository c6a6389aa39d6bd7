package simulator

import "strings"

// A kind is what a merchant sells; it decides what bills of his look like.
type kind uint8

const (
	ads kind = iota
	cloud
	software
	travel
	hotel
	marketplace
	kinds // how many there are
)

// sizes are the bounds of a usual bill in US cents.
var sizes = [kinds][2]int64{
	ads:         {5000, 400000},
	cloud:       {1200, 900000},
	software:    {900, 60000},
	travel:      {4000, 350000},
	hotel:       {9000, 180000},
	marketplace: {700, 120000},
}

type merchant struct {
	kind     kind
	country  string
	currency currency
	name     string
	lower    string // of the name, for the filter
	quoted   []byte // the name as JSON
}

// merchantTable holds a line per merchant: kind, country, currency, name. All
// are invented. Some names carry what a careless program stumbles over.
const merchantTable = `
0 US USD NORTHBEAM ADS
0 US USD CLICKHARBOR*ADS 8664
0 US USD SOCIALREACH <ADS MANAGER>
0 GB GBP ALBION SEARCH & DISPLAY LTD
0 DE EUR WERBEKONTOR BERLIN GMBH
0 FR EUR RÉGIE LUMIÈRE PUBLICITÉ SAS
0 JP JPY 株式会社さくら広告
0 KR KRW HANGANG MEDIA ADS CO
0 HK HKD 維港廣告有限公司
0 SG SGD MERLION PERFORMANCE ADS PTE
0 CN CNH 上海示例广告传媒有限公司
1 US USD BLUEPEAK CLOUD SERVICES
1 US USD STRATUS HOSTING & CO <BILLING>
1 US USD PACIFIC EDGE CDN INC
1 GB GBP THAMES VALLEY DATACENTRE
1 DE EUR RHEINCLOUD "EU CENTRAL"
1 JP JPY 東京クラウド株式会社
1 KR KRW SEOUL CLOUD PLATFORM
1 HK HKD HARBOUR EXCHANGE COLOCATION
1 SG SGD STRAITS CLOUD (AP-SOUTHEAST)
1 CN CNH 深圳市星河云计算有限公司
2 US USD LEDGERLEAF SOFTWARE
2 US USD PIXELFORGE* CREATIVE SUITE
2 US USD TEAMBOARD.EXAMPLE
2 US USD MAILPIGEON & SONS
2 GB GBP O'BRIEN'S "DESK" SOFTWARE LTD
2 DE EUR BÜRO-HELDEN SOFTWARE AG
2 FR EUR ATELIER LOGICIEL <PARIS>
2 JP JPY ツール工房
2 SG SGD KOPI CODE PTE LTD
2 CN CNH 杭州示例软件有限公司
3 US USD TRANSCONTINENTAL AIRWAYS
3 US USD YELLOW CAB & LIMO NYC
3 GB GBP GREAT NORTHERN RAIL
3 DE EUR NORDWIND FLUGREISEN
3 FR EUR TRAINS DE L'OUEST
3 JP JPY 新幹線きっぷセンター
3 KR KRW JEJU BLUE AIR
3 KW KWD GULF PEARL AIRWAYS
3 KW KWD AL-NOOR TRAVEL & TOURISM W.L.L.
3 HK HKD STAR FERRY & TRAMWAYS
3 SG SGD LION CITY TAXI
4 US USD GRAND MERIDIAN HOTEL SFO
4 US USD "THE LANTERN" INN & SUITES
4 GB GBP THE FOX & HOUNDS HOTEL
4 DE EUR HOTEL AM SPREEBOGEN
4 FR EUR HÔTEL DES DEUX RIVES
4 JP JPY 旅館 やまぶき
4 JP JPY HOTEL TSUKIMI <SHINJUKU>
4 KW KWD MARINA CRESCENT HOTEL
4 HK HKD 九龍海景酒店
4 SG SGD ORCHID BAY RESORT
5 US USD BAZAARLY MARKETPLACE
5 US USD CRATE&BARROW SUPPLIES
5 GB GBP HIGH STREET SUPPLY CO
5 DE EUR MARKTPLATZ DIREKT
5 FR EUR LA GRANDE HALLE "PRO"
5 JP JPY みほん市場
5 KR KRW DONGDAEMUN WHOLESALE
5 KW KWD SOUQ AL-MUBARAK ONLINE
5 HK HKD SHAM SHUI PO ELECTRONICS
5 SG SGD TANJONG SOURCING
5 CN CNH 义乌样品批发市场
`

// newMerchants reads the table, and indexes it by kind.
func newMerchants() (all []merchant, byKind [kinds][]uint16) {
	for line := range strings.Lines(strings.TrimSpace(merchantTable)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		m := merchant{
			kind:     kind(f[0][0] - '0'),
			country:  f[1],
			currency: currencyByName(f[2]),
			name:     f[3],
			lower:    strings.ToLower(f[3]),
			quoted:   quote(f[3]),
		}
		byKind[m.kind] = append(byKind[m.kind], uint16(len(all)))
		all = append(all, m)
	}
	return all, byKind
}
