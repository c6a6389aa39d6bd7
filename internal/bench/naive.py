"""Reads all bills into SQLite, the way one would in an afternoon."""

import hashlib
import http.client
import json
import sqlite3
import sys
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

PATH = "/amsin/api/v1/business/worldcard/queryBillList"
ZONE = timezone(timedelta(hours=8))


def utc(t):
    return t.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def amount(a):
    return (int(a["value"]), a["currency"]) if a else (None, None)


def row(item, now):
    raw = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    made = datetime.fromisoformat(item["transactionTime"])
    reason = item.get("billFailReason") or {}
    card = item["maskedCardNo"]
    return (
        "main", item["orderNo"], item.get("billNo"), 0, item["billType"], item["billStatus"], item["assetId"], card, card[-4:],
        item.get("cardNickName"), utc(made), made.astimezone(ZONE).strftime("%Y-%m-%d"), item.get("merchantName"),
        item.get("budgetAccountId"), *amount(item.get("tradeAmount")), *amount(item.get("outAmount")),
        *amount(item.get("inAmount")), item.get("exchangeRate"), item.get("tradeCountry"), reason.get("errorCode"),
        reason.get("errorDesc"), utc(datetime.fromtimestamp(int(item["lastUpdate"]) / 1000, timezone.utc)), None,
        now, now, now, 1, hashlib.sha256(raw.encode()).hexdigest()[:32], raw,
    )


def main():
    task = json.loads(sys.argv[1])
    db = sqlite3.connect(task["database"])
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        db.executescript(task["schema"])
    server = http.client.HTTPConnection(urlsplit(task["base_url"]).netloc)
    read = requests = 0
    day = datetime.fromtimestamp(task["since"], ZONE)
    while True:
        end = day + timedelta(days=100, seconds=-1)
        page = pages = 1
        while page <= pages:
            body = json.dumps({"startTime": day.isoformat(), "endTime": end.isoformat(), "pageNumber": page, "pageSize": 100})
            server.request("POST", PATH, body, {"Content-Type": "application/json; charset=UTF-8"})
            answer = json.loads(server.getresponse().read())
            if answer["result"]["resultStatus"] != "S":
                raise SystemExit("the server says " + answer["result"]["resultCode"])
            now = utc(datetime.now(timezone.utc))
            with db:
                db.executemany(task["numbered"], [row(item, now) for item in answer["billList"]])
            pages = answer["totalPageNumber"]
            page, requests, read = page + 1, requests + 1, read + len(answer["billList"])
        if end.timestamp() >= task["until"]:
            break
        day += timedelta(days=99)
    rows = db.execute("SELECT count(*) FROM bills").fetchone()[0]
    db.close()
    print(json.dumps({"rows": rows, "read": read, "requests": requests}))


main()
