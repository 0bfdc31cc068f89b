"""Attributes of PynamoDB models: dates and times."""

from datetime import date, datetime

from pynamodb.attributes import Attribute
from pynamodb.constants import NUMBER, STRING

from chalicelib.foundation.values import milliseconds, moment


class DateAttribute(Attribute[date]):
    """A date, as `YYYY-MM-DD`."""

    attr_type = STRING

    def serialize(self, value: date) -> str:
        """To DynamoDB."""
        return value.isoformat()

    def deserialize(self, value: str) -> date:
        """From DynamoDB."""
        return date.fromisoformat(value)


class MomentAttribute(Attribute[datetime]):
    """A time, in whole milliseconds since 1970."""

    attr_type = NUMBER

    def serialize(self, value: datetime) -> str:
        """To DynamoDB."""
        return str(milliseconds(value))

    def deserialize(self, value: str) -> datetime:
        """From DynamoDB, in UTC."""
        return moment(int(value))
