"""azure-mgmt-monitor: autoscale and diagnostic settings, metrics, their definitions and namespaces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localazure.scoring.served import ServedRequest
from tests.localazure.arm.management import (
    GROUP,
    LOCATION,
    NOT_EMULATED,
    PROVIDERS,
    TAGS,
    done,
    live_through,
    machine_learning,
    refused,
)
from tests.localazure.platform_bodies import OWN_SERVER

pytestmark = pytest.mark.integration

WORKSPACE = "monitored"
ENDPOINT = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}/onlineEndpoints/watched"
BLUE = f"{ENDPOINT}/deployments/blue"


@pytest.fixture(scope="module")
def monitor(management):
    """A client, and an endpoint with one deployment to watch."""
    from azure.mgmt.machinelearningservices import models
    from azure.mgmt.monitor import MonitorManagementClient

    ml = machine_learning(management, WORKSPACE)
    here = (GROUP, WORKSPACE, "watched")
    endpoint = models.OnlineEndpoint(
        location=LOCATION,
        identity=models.ManagedServiceIdentity(type="SystemAssigned"),
        properties=models.OnlineEndpointProperties(auth_mode="Key"),
    )
    done(ml.online_endpoints.begin_create_or_update(*here, endpoint))
    deployment = models.OnlineDeployment(
        location=LOCATION,
        properties=models.ManagedOnlineDeployment(instance_type="Standard_DS3_v2", environment_id=OWN_SERVER),
        sku=models.Sku(name="Default", capacity=1),
    )
    done(ml.online_deployments.begin_create_or_update(*here, "blue", deployment))
    return management.client(MonitorManagementClient)


def autoscale(models):
    """One instance more above 70 percent of CPU."""
    trigger = models.MetricTrigger(
        metric_name="CpuUtilizationPercentage",
        metric_resource_uri=BLUE,
        time_grain=timedelta(minutes=1),
        statistic="Average",
        time_window=timedelta(minutes=5),
        time_aggregation="Average",
        operator="GreaterThan",
        threshold=70,
    )
    action = models.ScaleAction(direction="Increase", type="ChangeCount", value="1", cooldown=timedelta(minutes=5))
    profile = models.AutoscaleProfile(
        name="load",
        capacity=models.ScaleCapacity(minimum="1", maximum="3", default="1"),
        rules=[models.ScaleRule(metric_trigger=trigger, scale_action=action)],
    )
    return models.AutoscaleSettingResource(
        location=LOCATION, profiles=[profile], enabled=True, target_resource_uri=BLUE
    )


@pytest.mark.proves("autoscalesettings", refuses=["properties.targetResourceUri"], client="azure-mgmt")
@pytest.mark.proves("autoscalesettings", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_autoscale_settings(monitor):
    from azure.mgmt.monitor.v2022_10_01 import models

    settings, here = monitor.autoscale_settings, (GROUP, "follow-load")
    created = live_through(
        create=lambda body: settings.create_or_update(*here, body),
        get=lambda: settings.get(*here),
        update=lambda: settings.update(*here, models.AutoscaleSettingResourcePatch(tags=TAGS)),
        delete=lambda: settings.delete(*here),
        lists=[settings.list_by_subscription, lambda: settings.list_by_resource_group(GROUP)],
        body=autoscale(models),
    )
    assert (created.enabled, created.target_resource_uri, created.name_properties_name) == (True, BLUE, "follow-load")
    (profile,) = created.profiles
    assert (profile.capacity.minimum, profile.capacity.maximum) == ("1", "3")
    assert profile.rules[0].metric_trigger.time_window == timedelta(minutes=5)
    assert profile.rules[0].scale_action.cooldown == timedelta(minutes=5)

    settings.create_or_update(*here, autoscale(models))
    changed = settings.update(*here, models.AutoscaleSettingResourcePatch(enabled=False, profiles=[profile]))
    assert (changed.enabled, changed.target_resource_uri) == (False, BLUE)
    body = autoscale(models)
    body.target_resource_uri = f"{BLUE}-none"
    assert refused(lambda: settings.create_or_update(GROUP, "lost", body)) == (400, "ResourceNotFound")
    settings.delete(*here)


@pytest.mark.proves("diagnosticSettings", refuses=["properties.workspaceId"], client="azure-mgmt")
@pytest.mark.proves("diagnosticSettings", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
def test_diagnostic_settings(monitor, management):
    from azure.mgmt.monitor.v2021_05_01_preview import models

    logs = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/monitored"
    assert management.azure.request("PUT", logs, {"location": LOCATION, "properties": {}}).ok
    settings, here = monitor.diagnostic_settings, (ENDPOINT, "traffic")
    body = models.DiagnosticSettingsResource(
        workspace_id=logs, logs=[models.LogSettings(category="AmlOnlineEndpointTrafficLog", enabled=True)]
    )
    created = live_through(
        create=lambda body: settings.create_or_update(*here, body),
        get=lambda: settings.get(*here),
        delete=lambda: settings.delete(*here),
        lists=[lambda: settings.list(ENDPOINT)],
        body=body,
    )
    assert created.workspace_id == logs
    assert [(log.category, log.enabled) for log in created.logs] == [("AmlOnlineEndpointTrafficLog", True)]
    assert refused(lambda: settings.create_or_update(*here, models.DiagnosticSettingsResource()))[0] == 400
    assert refused(lambda: monitor.diagnostic_settings_category.list(ENDPOINT)) == NOT_EMULATED


@pytest.mark.proves("Insights/metrics", drives=["list"], client="azure-mgmt")
def test_metrics_of_an_endpoint(monitor, management):
    now = datetime.now(UTC)
    moment = (now - timedelta(minutes=3)).timestamp()
    span = f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}/{now:%Y-%m-%dT%H:%M:%SZ}"

    def counts():
        answer = monitor.metrics.list(
            ENDPOINT,
            timespan=span,
            interval=timedelta(minutes=1),
            metricnames="RequestsPerMinute",
            aggregation="Average",
            filter="statusCodeClass eq '*'",
        )
        (metric,) = answer.value
        assert (metric.name.value, metric.unit, answer.interval) == ("RequestsPerMinute", "Count", timedelta(minutes=1))
        series = {one.metadatavalues[0].value: one.data for one in metric.timeseries}
        return {name: sum(point.average or 0 for point in data) for name, data in series.items()}

    before = counts()  # another test may have sent requests to this endpoint
    for status in (200, 200, 500):
        request = ServedRequest("watched", "blue", "id", "POST", "/score", moment, 0.02, status, status, 10, 20)
        management.azure.observe(request)
    assert {name: count - before.get(name, 0) for name, count in counts().items()} == {"2xx": 2, "5xx": 1}
    assert refused(lambda: monitor.metrics.list(ENDPOINT, metricnames="Unknown"))[0] in (400, 501)


def test_azure_monitors_clients_need_no_more_than_an_endpoint(monitor, management):
    """Both routes, and logs, which are refused."""
    from azure.identity import DefaultAzureCredential
    from azure.monitor.query import LogsQueryClient, MetricsQueryClient
    from azure.monitor.querymetrics import MetricsClient

    moment = (datetime.now(UTC) - timedelta(minutes=3)).timestamp()
    request = ServedRequest("watched", "blue", "id", "POST", "/score", moment, 0.02, 200, 200, 10, 20)
    management.azure.observe(request)
    span, grain = timedelta(minutes=10), timedelta(minutes=1)

    def values(metric):
        return [point.average for series in metric.timeseries for point in series.data if point.average]

    with DefaultAzureCredential() as credential:
        with MetricsQueryClient(credential, endpoint=management.azure.https) as client:
            (one,) = client.query_resource(BLUE, ["RequestsPerMinute"], timespan=span, granularity=grain).metrics
        with MetricsClient(management.azure.https, credential) as client:
            (result,) = client.query_resources(
                resource_ids=[BLUE],
                metric_namespace="Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
                metric_names=["RequestsPerMinute"],
                timespan=span,
                granularity=grain,
            )
        assert values(one) == values(result.metrics[0]) != []
        with LogsQueryClient(credential, endpoint=f"{management.azure.https}/v1") as client:
            assert refused(lambda: client.query_workspace("w", "AzureActivity", timespan=span)) == NOT_EMULATED


@pytest.mark.proves("metricDefinitions", drives=["list"], client="azure-mgmt")
@pytest.mark.proves("metricNamespaces", drives=["list"], client="azure-mgmt")
def test_definitions_and_namespaces_of_metrics(monitor):
    definitions = {item.name.value: item for item in monitor.metric_definitions.list(BLUE)}
    assert {"CpuUtilizationPercentage", "DeploymentCapacity", "RequestsPerMinute"} <= set(definitions)
    assert definitions["DeploymentCapacity"].primary_aggregation_type
    (namespace,) = monitor.metric_namespaces.list(ENDPOINT)
    assert namespace.properties.metric_namespace_name == (
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    )


def test_what_the_monitor_does_not_emulate_is_refused_as_such(monitor):
    for call in (
        lambda: monitor.activity_logs.list(filter="eventTimestamp ge '2026-01-01T00:00:00Z'"),
        lambda: monitor.metric_alerts.list_by_subscription(),
        lambda: monitor.metric_alerts.list_by_resource_group(GROUP),
        lambda: monitor.action_groups.list_by_subscription_id(),
        lambda: monitor.scheduled_query_rules.list_by_subscription(),
        lambda: monitor.event_categories.list(),
        lambda: monitor.metrics.list_at_subscription_scope(LOCATION, metricnames="RequestsPerMinute"),
    ):
        assert refused(call) == NOT_EMULATED
