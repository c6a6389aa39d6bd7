package simulator

// A plan is a bill with its whole life, past and to come. What a bill is at a
// time follows from it and the time alone.
type plan struct {
	second  int64 // transaction time, Unix seconds
	appears int64 // when the list first shows it, milliseconds
	order   orderRef
	ordinal int32 // its number within the day; the order of bills of one second

	id       uint64 // a number of its own, for what has to be unique
	card     uint16
	merchant uint16
	trade    int64
	rate     [2]int64 // before and after clearing
	reason   uint8    // index into failReasons
	billNo   bool
	tagged   bool

	n      uint8
	events [5]event
}

// An orderRef is what an order number is made of: when the order was made and
// its number within that day.
type orderRef struct {
	second int64
	serial int32
}

// An event is a point in a bill's life from which on it says something else.
type event struct {
	at      int64 // milliseconds
	out, in int64 // in the card's currency
	status  status
	cleared bool // the second rate is the bill's
}

const (
	seconds = int64(1000)
	minutes = 60 * seconds
	hours   = 60 * minutes
	days    = 24 * hours
)

// state is the last event at a time in milliseconds.
func (p *plan) state(now int64) *event {
	i := int(p.n) - 1
	for i > 0 && p.events[i].at > now {
		i--
	}
	return &p.events[i]
}

// live lets a bill begin: it is authorised or refused within three seconds, and
// listed within ninety.
func (p *plan) live(r *stream, k kind, seed uint64, from, to currency) {
	at := p.second*1000 + r.between(200, 2999)
	p.appears = p.second*1000 + r.between(3000, 90*seconds)
	p.rate = [2]int64{one, one}
	if from != to {
		day := int(p.second / 86400)
		p.rate[0] = rateOn(seed, day, from, to)
		p.rate[1] = p.rate[0]
		if r.chance(300) { // cleared at another rate than authorised
			p.rate[1] = fiveDigits(p.rate[0] + p.rate[0]*r.between(-1500, 1500)/100000)
		}
	}
	first := max(exchange(p.trade, p.rate[0], from, to), 1)
	final := max(exchange(p.trade, p.rate[1], from, to), 1)
	held := event{at: at, status: waitingClearance, out: first}

	n := r.below(1000)
	if k == hotel {
		n = n * 6 / 10 // deposits are often given back, in whole or in part
	}
	switch {
	case n < 70:
		p.reason = pickReason(r)
		p.add(event{at: at, status: failed})
	case n < 110:
		p.add(held)
		gone := held
		gone.status, gone.at = cancelled, at+r.between(6*hours, 14*days)
		p.add(gone)
	case n < 113: // an authorisation nobody claims
		p.add(held)
		gone := held
		gone.status, gone.at = cancelled, at+r.between(29*days, 31*days)
		p.add(gone)
	case n < 160:
		p.add(held)
		rest := held
		rest.status, rest.at = partialCancel, at+r.between(3*hours, 4*days)
		rest.out = max(first*r.between(30, 90)/100, 1)
		p.add(rest)
		rest.status, rest.at = success, rest.at+r.between(12*hours, 5*days)
		p.add(rest)
	case n < 270: // deducted at once
		p.rate[0] = p.rate[1]
		p.add(event{at: at, status: waitingDeduct, out: final, cleared: true})
		p.add(event{at: at + r.between(5*seconds, 20*minutes), status: success, out: final, cleared: true})
		p.refund(r)
	case n < 420:
		p.add(held)
		due := event{at: at + r.between(2*hours, 6*days), status: waitingDeduct, out: final, cleared: true}
		p.add(due)
		due.status, due.at = success, due.at+r.between(10*minutes, 4*days)
		if n < 274 { // the balance is short for long
			due.at += r.between(10*days, 60*days)
		}
		p.add(due)
		p.refund(r)
	default:
		p.add(held)
		p.add(event{at: at + r.between(2*hours, 7*days), status: success, out: final, cleared: true})
		p.refund(r)
	}
}

// refund gives some bills' money back, weeks to months later, at once or in two
// parts.
func (p *plan) refund(r *stream) {
	e := p.events[p.n-1]
	n := r.below(1000)
	if n >= 130 {
		return
	}
	e.at += r.between(5*days, 150*days)
	if n < 75 {
		e.status, e.in = refunded, e.out
		p.add(e)
		return
	}
	if e.out < 2 {
		return
	}
	e.status, e.in = partialRefund, max(e.out*r.between(10, 80)/100, 1)
	p.add(e)
	if n < 100 {
		e.at += r.between(3*days, 60*days)
		e.status, e.in = refunded, e.out
		p.add(e)
	}
}

func (p *plan) add(e event) {
	p.events[p.n] = e
	p.n++
}
