"""The front door in the template: one route to the application, at the root of AWS's address and of a domain."""

import re
from typing import Any

from tests.infra.templates import Template, of_kind


def only(template: Template, kind: str) -> dict[str, Any]:
    """The properties of the one resource of a kind."""
    [(_, found)] = of_kind(template, kind)
    properties: dict[str, Any] = found["Properties"]
    return properties


def test_one_route_hands_every_request_to_the_application_in_the_form_that_chalice_reads(
    template: Template,
) -> None:
    route = only(template, "AWS::ApiGatewayV2::Route")
    integration = only(template, "AWS::ApiGatewayV2::Integration")

    assert route["RouteKey"] == "$default"
    assert route["Target"] == {"Fn::Sub": "integrations/${HttpApiIntegration}"}
    assert integration["PayloadFormatVersion"] == "1.0"
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert "${APIHandler.Arn}/invocations" in integration["IntegrationUri"]["Fn::Sub"]
    assert template["Resources"]["APIHandler"]["Properties"]["Handler"] == "app.app"


def test_nothing_is_left_of_the_rest_api_that_chalice_writes(template: Template) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()}

    assert not {
        kind for kind in kinds if kind.startswith(("AWS::ApiGateway::", "AWS::Serverless::Api"))
    }
    assert not re.search(r"\bRestAPI", str(template))


def test_only_this_api_may_call_the_function_and_only_by_its_route(template: Template) -> None:
    permission = only(template, "AWS::Lambda::Permission")

    assert permission["FunctionName"] == {"Ref": "APIHandler"}
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${HttpApi}/*/$default")


def test_preflights_reach_the_application(template: Template) -> None:
    # With a CORS configuration the gateway would answer them, and replace the application's headers.
    assert "CorsConfiguration" not in only(template, "AWS::ApiGatewayV2::Api")


def test_the_api_answers_at_the_root_of_its_address(template: Template) -> None:
    stage = only(template, "AWS::ApiGatewayV2::Stage")

    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True


def test_requests_are_throttled(template: Template) -> None:
    limits = only(template, "AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"]

    assert limits["ThrottlingRateLimit"] == {"Fn::If": ["Prod", 8000, 200]}
    assert limits["ThrottlingBurstLimit"] == {"Fn::If": ["Prod", 4000, 400]}


def test_a_domain_has_the_api_at_its_root_and_wants_a_safe_connection(template: Template) -> None:
    [(stage, _)] = of_kind(template, "AWS::ApiGatewayV2::Stage")
    [domain] = only(template, "AWS::ApiGatewayV2::DomainName")["DomainNameConfigurations"]
    mapping = only(template, "AWS::ApiGatewayV2::ApiMapping")

    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert domain["EndpointType"] == "REGIONAL"
    assert "ApiMappingKey" not in mapping
    assert mapping["Stage"] == {"Ref": stage}


def test_without_a_certificate_there_is_no_domain(template: Template) -> None:
    resources = template["Resources"]

    assert template["Parameters"]["DomainName"]["Default"] == ""
    assert template["Parameters"]["CertificateArn"]["Default"] == ""
    assert template["Conditions"]["HasDomain"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "CertificateArn"}, ""]}]
    }
    for name in ("ApiDomain", "ApiDomainMapping"):
        assert resources[name]["Condition"] == "HasDomain"


def test_a_domain_without_a_certificate_is_refused(template: Template) -> None:
    rule = template["Rules"]["DomainHasCertificate"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "CertificateArn"}, ""]}
    [assertion] = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "DomainName"}, ""]}
