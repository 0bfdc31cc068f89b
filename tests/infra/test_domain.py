"""Where the API answers: in its region, and under its own domain where one is given."""

from tests.infra.templates import Template, of_kind, translated


def test_the_api_answers_in_its_region(template: Template) -> None:
    [(_, api)] = of_kind(translated(template), "AWS::ApiGateway::RestApi")

    assert api["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_a_domain_has_the_api_at_its_root_and_wants_a_safe_connection(template: Template) -> None:
    made = translated(template)
    [(_, domain)] = of_kind(made, "AWS::ApiGateway::DomainName")
    [(_, mapping)] = of_kind(made, "AWS::ApiGateway::BasePathMapping")
    [(stage, _)] = of_kind(made, "AWS::ApiGateway::Stage")

    assert domain["Properties"]["SecurityPolicy"] == "TLS_1_2"
    assert domain["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert "BasePath" not in mapping["Properties"]
    assert mapping["Properties"]["Stage"] == {"Ref": stage}


def test_without_a_domain_s_name_there_is_no_domain(template: Template) -> None:
    resources = template["Resources"]

    assert template["Parameters"]["DomainName"]["Default"] == ""
    assert template["Conditions"]["HasDomain"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "DomainName"}, ""]}]
    }
    for name in ("ApiDomain", "ApiDomainMapping"):
        assert resources[name]["Condition"] == "HasDomain"
