"""What each side does with the operations, step by step, on top of the API document's page."""

from collections.abc import Mapping, Sequence

from chalicelib.taxis.settings import settings

# An operation, as `VERB /path`, and what it is for.
Recipe = Sequence[tuple[str, str]]


def recipes() -> Mapping[str, Recipe]:
    """The recipe of each side, with the times of this deployment's settings."""
    now = settings()
    return {
        "An operator: from a taxi to a ride": (
            ("POST /drivers", "Register the driver."),
            ("POST /vehicles", "Register the vehicle."),
            ("POST /ads", "Register the licence (ADS). All three may be sent again at any time."),
            ("POST /taxis", "Make the three a taxi, and keep the `id` of the answer."),
            ("PUT /taxis/{taxi_id}", "Set the status to `free` when the driver wants customers."),
            (
                "POST /geotaxi",
                (
                    "Say where your taxis are, every 5 seconds. A taxi that is silent for"
                    f" {now.freshness_s} seconds is not found any more."
                ),
            ),
            (
                "PUT /users/{user_id}",
                (
                    "Give the address of your server. Each hail is sent there, and is answered with 200"
                    " and `{}`."
                ),
            ),
            (
                "PUT /hails/{hail_id}",
                (
                    f"Then `received_by_taxi` within {now.wait_received_by_operator_s} seconds,"
                    f" `accepted_by_taxi` with the driver's phone number within"
                    f" {now.wait_received_by_taxi_s} seconds more (or `declined_by_taxi`),"
                    " `customer_on_board`, `finished`."
                ),
            ),
        ),
        "A search app: from a search to a ride": (
            ("GET /taxis", "Find the free taxis near the customer."),
            ("POST /hails", "Hail one of them, by the `id` that the search showed."),
            (
                "GET /hails/{hail_id}",
                "Follow the hail, once a second or two, until the driver accepts.",
            ),
            (
                "PUT /hails/{hail_id}",
                (
                    f"Answer `accepted_by_customer` within {now.wait_accepted_by_taxi_s} seconds. Both"
                    " phone numbers are shown from then on, until the customer is on board."
                ),
            ),
            (
                "GET /hails/{hail_id}",
                (
                    "Show the taxi on its way. When a hail ends without a ride, hail another taxi with"
                    " the same `session_id`."
                ),
            ),
        ),
    }
