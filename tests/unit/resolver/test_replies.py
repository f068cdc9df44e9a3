"""What replies of authorities mean, and that nobody's word counts outside their zone."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from nearcast.resolver.replies import (
    GLUE_MAX,
    HOSTS_MAX,
    TEXT_CHARS_MAX,
    Answer,
    Denial,
    Lame,
    Meaning,
    Referral,
    meaning,
)
from nearcast.wire.dns.codes import Rcode, Type
from nearcast.wire.dns.names import wire_name

SOA = "movie.test. 60 IN SOA ns.movie.test. h. 1 2 3 4 30"


def read(
    name: str,
    zone: str,
    *,
    answer: tuple[str, ...] = (),
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
    aa: bool = True,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    rdtype: int = Type.A,
) -> Meaning:
    reply = dns.message.make_response(dns.message.make_query(name, "A", use_edns=0))
    reply.set_rcode(rcode)
    if aa:
        reply.flags |= dns.flags.AA
    for section, lines in zip(reply.sections[1:], (answer, authority, additional), strict=True):
        for line in lines:
            owner, ttl, _, kind, rdata = line.split(" ", 4)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, *rdata.split(" | ")))
    return meaning(reply, wire_name(zone), wire_name(name), rdtype)


def test_an_answer() -> None:
    told = read("www.movie.test", "movie.test", answer=("WWW.movie.test. 60 IN A 192.0.2.1 | 192.0.2.2",))
    assert isinstance(told, Answer)
    assert told.text == "A 192.0.2.1 192.0.2.2"
    assert told.rrsets[0].owner == wire_name("www.movie.test")


def test_a_chain_is_believed_as_far_as_the_zone_goes() -> None:
    told = read(
        "a.movie.test",
        "movie.test",
        answer=(
            "a.movie.test. 60 IN CNAME b.movie.test.",
            "b.movie.test. 60 IN CNAME bank.test.",
            "bank.test. 60 IN A 192.0.2.66",
        ),
    )
    assert isinstance(told, Answer)
    assert told.text == "CNAME b.movie.test, CNAME bank.test"


def test_records_of_other_names_are_no_answer() -> None:
    told = read("a.movie.test", "movie.test", answer=("bank.test. 60 IN A 192.0.2.66",), authority=(SOA,))
    assert isinstance(told, Denial)


@pytest.mark.parametrize(
    ("rcode", "meant"), [(dns.rcode.NXDOMAIN, Rcode.NXDOMAIN), (dns.rcode.NOERROR, Rcode.NOERROR)]
)
def test_denials_hold_as_long_as_the_soa_says(rcode: dns.rcode.Rcode, meant: Rcode) -> None:
    told = read("a.movie.test", "movie.test", rcode=rcode, authority=(SOA,))
    assert isinstance(told, Denial) and (told.rcode, told.seconds) == (meant, 30)
    told = read("a.movie.test", "movie.test", rcode=rcode)
    assert isinstance(told, Denial) and told.seconds == 0
    foreign = "test. 60 IN SOA ns. h. 1 2 3 4 30"
    told = read("a.movie.test", "movie.test", rcode=rcode, authority=(foreign,))
    assert isinstance(told, Denial) and told.soa is None


def test_a_referral_and_the_glue_in_it() -> None:
    told = read(
        "www.movie.test",
        "test",
        aa=False,
        authority=("movie.test. 60 IN NS ns.movie.test. | ns.far.example.",),
        additional=(
            "ns.movie.test. 60 IN A 192.0.2.2",
            "ns.far.example. 60 IN A 192.0.2.66",  # not theirs to say
            "bank.test. 60 IN A 192.0.2.66",  # nobody asked
        ),
    )
    assert isinstance(told, Referral)
    assert told.zone == wire_name("movie.test")
    assert told.hosts == (wire_name("ns.movie.test"), wire_name("ns.far.example"))
    assert told.glue == ((wire_name("ns.movie.test"), "192.0.2.2"),)


@pytest.mark.parametrize(
    "owner", ["test.", ".", "bank.test.", "movie.test."], ids=["itself", "upward", "aside", "same"]
)
def test_referrals_that_lead_nowhere_are_lame(owner: str) -> None:
    zone = "test" if owner != "movie.test." else "movie.test"
    told = read("www.movie.test", zone, aa=False, authority=(f"{owner} 60 IN NS ns.evil.",))
    assert isinstance(told, Lame)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.FORMERR])
def test_failures_are_lame(rcode: dns.rcode.Rcode) -> None:
    told = read("www.movie.test", "movie.test", rcode=rcode)
    assert isinstance(told, Lame) and told.text == dns.rcode.to_text(rcode)


def test_words_without_authority_are_lame() -> None:
    answer = ("www.movie.test. 60 IN A 192.0.2.1",)
    assert isinstance(read("www.movie.test", "movie.test", answer=answer, aa=False), Lame)
    assert isinstance(read("www.movie.test", "movie.test", rcode=dns.rcode.NXDOMAIN, aa=False), Lame)


@pytest.mark.parametrize("rdtype", ["A", "CNAME", "ANY"])
def test_a_reply_that_denies_and_answers_is_lame(rdtype: str) -> None:
    alias = "www.movie.test. 60 IN CNAME b.movie.test."
    answer = "www.movie.test. 86400 IN A 192.0.2.66" if rdtype == "A" else alias
    kind = dns.rdatatype.from_text(rdtype)
    told = read("www.movie.test", "movie.test", answer=(answer,), rcode=dns.rcode.NXDOMAIN, rdtype=kind)
    assert isinstance(told, Lame)
    told = read(
        "www.movie.test",
        "movie.test",
        answer=(alias, "b.movie.test. 60 IN A 192.0.2.66"),
        rcode=dns.rcode.NXDOMAIN,
    )
    assert isinstance(told, Lame)


def test_an_alias_to_a_name_that_does_not_exist_is_an_alias() -> None:
    alias = ("www.movie.test. 60 IN CNAME nope.movie.test.",)
    told = read("www.movie.test", "movie.test", answer=alias, rcode=dns.rcode.NXDOMAIN, authority=(SOA,))
    assert isinstance(told, Answer) and told.text == "CNAME nope.movie.test"


def test_records_of_another_class_are_no_answer() -> None:
    reply = dns.message.make_response(dns.message.make_query("www.movie.test", "A"))
    reply.flags |= dns.flags.AA
    rdata = dns.rdata.from_text("IN", "A", "192.0.2.66")
    chaos = dns.rrset.RRset(dns.name.from_text("www.movie.test"), dns.rdataclass.CH, dns.rdatatype.A)
    chaos.items[rdata] = None
    reply.answer.append(chaos)
    assert isinstance(meaning(reply, wire_name("movie.test"), wire_name("www.movie.test"), Type.A), Denial)


def test_what_is_kept_of_a_reply_is_little() -> None:
    hosts = [f"ns{number}.movie.test." for number in range(500)]
    told = read(
        "www.movie.test",
        "test",
        aa=False,
        authority=("movie.test. 60 IN NS " + " | ".join(hosts),),
        additional=tuple(f"{host} 60 IN A 192.0.2.{at}" for host in hosts for at in range(1, 11)),
    )
    assert isinstance(told, Referral)
    assert len(told.hosts) <= HOSTS_MAX and len(told.glue) <= GLUE_MAX and len(told.text) <= TEXT_CHARS_MAX
    texts = " | ".join(f'"{number:0200}"' for number in range(200))
    told = read("www.movie.test", "movie.test", answer=(f"www.movie.test. 60 IN TXT {texts}",), rdtype=16)
    assert isinstance(told, Answer)
    assert len(told.rrsets[0].rdatas) == 200 and len(told.text) <= TEXT_CHARS_MAX
