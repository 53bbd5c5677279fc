"""What a fresh instance holds: tables and their dictionary, choices, people, groups, properties. No tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.servicenow.choices import PROFILES
from callout.sandbox.servicenow.instance import Instance
from callout.sandbox.servicenow.model import Account, seeded_id
from callout.sandbox.servicenow.oauth import CLIENT_CREDENTIALS_PROPERTY
from callout.sandbox.servicenow.query_matching import NO_ROWS_PROPERTY
from callout.sandbox.servicenow.rights import GRANTED
from callout.sandbox.servicenow.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from callout.sandbox.servicenow.model import TableKind
    from callout.sandbox.servicenow.settings import Settings

ADMIN, INTEGRATION = "admin", "callout.integration"
ANN, SAM, MIA, CARLA = "ann.lee", "sam.sec", "mia.manager", "carla.customer"
API_KEY = "callout-api-key-0000000000000000"
SEEDED_BY = "system"

# User name, password, full name, zone, date format, roles.
_PEOPLE = (
    (ADMIN, "admin", "System Administrator", "GMT", "", ("admin",)),
    (
        INTEGRATION,
        "integration",
        "Callout Integration",
        "GMT",
        "",
        ("itil", "sn_incident_write", "sn_si.basic", GRANTED),
    ),
    (ANN, "ann", "Ann Lee", "Europe/Berlin", "dd/MM/yyyy", ("itil",)),
    (SAM, "sam", "Sam Sec", "America/New_York", "", ("itil", "sn_si.analyst")),
    (MIA, "mia", "Mia Manager", "GMT", "", ("itil", "itil_admin")),
    (CARLA, "carla", "Carla Customer", "America/Los_Angeles", "", ()),
)
_GROUPS = {
    "IT Support": (ANN, MIA),
    "Database": (ANN,),
    "Security Operations": (SAM,),
}
_PROPERTIES = {
    "glide.sys.default.tz": "GMT",
    "glide.sys.date_format": "yyyy-MM-dd",
    NO_ROWS_PROPERTY: "false",
    CLIENT_CREDENTIALS_PROPERTY: "true",
    "instance_name": "sandbox",
}


def fresh(now: Callable[[], datetime], settings: Settings) -> Instance:
    """A newly seeded instance, as the settings want it."""
    instance = Instance(now, settings, PROFILES[settings.choices])
    kinds = [kind for kind in TABLES if kind.name != "sn_si_incident" or settings.security_incidents]
    for kind in kinds:
        instance.define(kind)
    for kind in kinds:
        _describe(instance, kind)
    _choices(instance)
    _people(instance)
    apply_settings(instance)
    return instance


def apply_settings(instance: Instance) -> None:
    """Carry settings that live in records into those records."""
    for user_name in (ADMIN, INTEGRATION):
        row = instance.person(user_name)
        if row is not None:
            row.values = {**row.values, "time_zone": instance.settings.admin_time_zone}
    for name, value in instance.settings.properties.items():
        _property(instance, name, str(value))


def _plant(instance: Instance, table: str, ident: str, **values: str) -> str:
    return instance.create(table, values, by=SEEDED_BY, sys_id=seeded_id(f"{table}:{ident}")).sys_id


def _property(instance: Instance, name: str, value: str) -> None:
    known = instance.rows["sys_properties"].get(seeded_id(f"sys_properties:{name}"))
    if known is None:
        _plant(instance, "sys_properties", name, name=name, value=value)
    else:
        instance.put(known, {**known.values, "value": value})


def _describe(instance: Instance, kind: TableKind) -> None:
    parent = seeded_id(f"sys_db_object:{kind.parent}") if kind.parent else ""
    _plant(instance, "sys_db_object", kind.name, name=kind.name, label=kind.label, super_class=parent)
    # The entry without an element describes the table itself.
    collection = {"name": kind.name, "element": "", "internal_type": "collection", "column_label": kind.label}
    _plant(instance, "sys_dictionary", kind.name, **collection)
    for column in kind.columns:
        _plant(
            instance,
            "sys_dictionary",
            f"{kind.name}.{column.name}",
            name=kind.name,
            element=column.name,
            column_label=column.label,
            internal_type=column.kind,
            max_length=str(column.max_length),
            mandatory=str(column.mandatory).lower(),
            read_only=str(column.read_only).lower(),
            reference=column.reference,
            choice=str(column.choice),
            default_value=column.default,
        )


def _choices(instance: Instance) -> None:
    for sequence, choice in enumerate(instance.profile.all(), start=1):
        if choice.table not in instance.tables:
            continue
        _plant(
            instance,
            "sys_choice",
            f"{choice.table}.{choice.element}.{choice.depends}.{choice.value}",
            name=choice.table,
            element=choice.element,
            value=choice.value,
            label=choice.label,
            language="en",
            sequence=str(sequence),
            dependent_value=choice.depends,
        )


def _people(instance: Instance) -> None:
    for user_name, password, name, zone, date_format, roles in _PEOPLE:
        first, _, last = name.partition(" ")
        ident = _plant(
            instance,
            "sys_user",
            user_name,
            user_name=user_name,
            name=name,
            first_name=first,
            last_name=last,
            email=f"{user_name}@example.com",
            time_zone=zone,
            date_format=date_format,
        )
        instance.accounts[user_name] = Account(ident, user_name, password, frozenset(roles))
    for group, members in _GROUPS.items():
        ident = _plant(instance, "sys_user_group", group, name=group)
        for user_name in members:
            user = instance.accounts[user_name].sys_id
            _plant(instance, "sys_user_grmember", f"{group}.{user_name}", group=ident, user=user)
    for service in ("Checkout", "Search"):
        _plant(instance, "cmdb_ci", service, name=service, category="Service")
    template = "Restart a web node"
    _plant(instance, "std_change_producer_version", template, name=template, short_description=template)
    for name, value in _PROPERTIES.items():
        _property(instance, name, value)
