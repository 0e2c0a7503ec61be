/*
 * AWS::ECS::TaskDefinition. Each RegisterTaskDefinition makes a revision, whatever stands there
 * already, so the identity is family name and claim: the newest ACTIVE revision that shows our
 * claim is the one in use, and at removal all that show it go (a lost answer may have left two).
 * Revisions without it are somebody else's.
 *
 * Removal deregisters, then deletes. Deregistered is gone as far as the record goes: an INACTIVE
 * revision cannot be told from those that AWS keeps for years.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/ecs.h"
#include "base/str.h"
#include "provision/types/common.h"

enum { FAMILY_MAX = 255 };

#define C "ContainerDefinitions[]."
#define V "Volumes[]."

static const struct property properties[] = {
    {"Family", PROPERTY_STRING, NULL, false},
    {"Cpu", PROPERTY_STRING, NULL, false},
    {"Memory", PROPERTY_STRING, NULL, false},
    {"NetworkMode", PROPERTY_STRING, NULL, false},
    {"RequiresCompatibilities", PROPERTY_LIST, NULL, false},
    {"ExecutionRoleArn", PROPERTY_STRING, NULL, false},
    {"TaskRoleArn", PROPERTY_STRING, NULL, false},
    {"PidMode", PROPERTY_STRING, NULL, false},
    {"IpcMode", PROPERTY_STRING, NULL, false},
    {"EnableFaultInjection", PROPERTY_BOOLEAN, NULL, false},
    {"EphemeralStorage.SizeInGiB", PROPERTY_INTEGER, NULL, true},
    {"RuntimePlatform.CpuArchitecture", PROPERTY_STRING, NULL, false},
    {"RuntimePlatform.OperatingSystemFamily", PROPERTY_STRING, NULL, false},
    {"PlacementConstraints[].Type", PROPERTY_STRING, NULL, true},
    {"PlacementConstraints[].Expression", PROPERTY_STRING, NULL, false},
    {C "Name", PROPERTY_STRING, NULL, true},
    {C "Image", PROPERTY_STRING, NULL, true},
    {C "Essential", PROPERTY_BOOLEAN, NULL, false},
    {C "Cpu", PROPERTY_INTEGER, NULL, false},
    {C "Memory", PROPERTY_INTEGER, NULL, false},
    {C "MemoryReservation", PROPERTY_INTEGER, NULL, false},
    {C "Command", PROPERTY_LIST, NULL, false},
    {C "EntryPoint", PROPERTY_LIST, NULL, false},
    {C "CredentialSpecs", PROPERTY_LIST, NULL, false},
    {C "DependsOn[].Condition", PROPERTY_STRING, NULL, true},
    {C "DependsOn[].ContainerName", PROPERTY_STRING, NULL, true},
    {C "DisableNetworking", PROPERTY_BOOLEAN, NULL, false},
    {C "DnsSearchDomains", PROPERTY_LIST, NULL, false},
    {C "DnsServers", PROPERTY_LIST, NULL, false},
    {C "DockerLabels", PROPERTY_MAP, NULL, false},
    {C "DockerSecurityOptions", PROPERTY_LIST, NULL, false},
    {C "Environment[].Name", PROPERTY_STRING, NULL, true},
    {C "Environment[].Value", PROPERTY_STRING, NULL, true},
    {C "EnvironmentFiles[].Type", PROPERTY_STRING, NULL, true},
    {C "EnvironmentFiles[].Value", PROPERTY_STRING, NULL, true},
    {C "ExtraHosts[].Hostname", PROPERTY_STRING, NULL, true},
    {C "ExtraHosts[].IpAddress", PROPERTY_STRING, NULL, true},
    {C "FirelensConfiguration.Options", PROPERTY_MAP, NULL, false},
    {C "FirelensConfiguration.Type", PROPERTY_STRING, NULL, true},
    {C "HealthCheck.Command", PROPERTY_LIST, NULL, true},
    {C "HealthCheck.Interval", PROPERTY_INTEGER, NULL, false},
    {C "HealthCheck.Retries", PROPERTY_INTEGER, NULL, false},
    {C "HealthCheck.StartPeriod", PROPERTY_INTEGER, NULL, false},
    {C "HealthCheck.Timeout", PROPERTY_INTEGER, NULL, false},
    {C "Hostname", PROPERTY_STRING, NULL, false},
    {C "Interactive", PROPERTY_BOOLEAN, NULL, false},
    {C "Links", PROPERTY_LIST, NULL, false},
    {C "LinuxParameters.Capabilities.Add", PROPERTY_LIST, NULL, false},
    {C "LinuxParameters.Capabilities.Drop", PROPERTY_LIST, NULL, false},
    {C "LinuxParameters.Devices[].ContainerPath", PROPERTY_STRING, NULL, false},
    {C "LinuxParameters.Devices[].HostPath", PROPERTY_STRING, NULL, true},
    {C "LinuxParameters.Devices[].Permissions", PROPERTY_LIST, NULL, false},
    {C "LinuxParameters.InitProcessEnabled", PROPERTY_BOOLEAN, NULL, false},
    {C "LinuxParameters.MaxSwap", PROPERTY_INTEGER, NULL, false},
    {C "LinuxParameters.SharedMemorySize", PROPERTY_INTEGER, NULL, false},
    {C "LinuxParameters.Swappiness", PROPERTY_INTEGER, NULL, false},
    {C "LinuxParameters.Tmpfs[].ContainerPath", PROPERTY_STRING, NULL, true},
    {C "LinuxParameters.Tmpfs[].MountOptions", PROPERTY_LIST, NULL, false},
    {C "LinuxParameters.Tmpfs[].Size", PROPERTY_INTEGER, NULL, true},
    {C "LogConfiguration.LogDriver", PROPERTY_STRING, NULL, true},
    {C "LogConfiguration.Options", PROPERTY_MAP, NULL, false},
    {C "LogConfiguration.SecretOptions[].Name", PROPERTY_STRING, NULL, true},
    {C "LogConfiguration.SecretOptions[].ValueFrom", PROPERTY_STRING, NULL, true},
    {C "MountPoints[].ContainerPath", PROPERTY_STRING, NULL, true},
    {C "MountPoints[].ReadOnly", PROPERTY_BOOLEAN, NULL, false},
    {C "MountPoints[].SourceVolume", PROPERTY_STRING, NULL, true},
    {C "PortMappings[].AppProtocol", PROPERTY_STRING, NULL, false},
    {C "PortMappings[].ContainerPort", PROPERTY_INTEGER, NULL, false},
    {C "PortMappings[].ContainerPortRange", PROPERTY_STRING, NULL, false},
    {C "PortMappings[].HostPort", PROPERTY_INTEGER, NULL, false},
    {C "PortMappings[].Name", PROPERTY_STRING, NULL, false},
    {C "PortMappings[].Protocol", PROPERTY_STRING, NULL, false},
    {C "Privileged", PROPERTY_BOOLEAN, NULL, false},
    {C "PseudoTerminal", PROPERTY_BOOLEAN, NULL, false},
    {C "ReadonlyRootFilesystem", PROPERTY_BOOLEAN, NULL, false},
    {C "RepositoryCredentials.CredentialsParameter", PROPERTY_STRING, NULL, true},
    {C "ResourceRequirements[].Type", PROPERTY_STRING, NULL, true},
    {C "ResourceRequirements[].Value", PROPERTY_STRING, NULL, true},
    {C "RestartPolicy.Enabled", PROPERTY_BOOLEAN, NULL, true},
    {C "RestartPolicy.IgnoredExitCodes[]", PROPERTY_INTEGER, NULL, false},
    {C "RestartPolicy.RestartAttemptPeriod", PROPERTY_INTEGER, NULL, false},
    {C "Secrets[].Name", PROPERTY_STRING, NULL, true},
    {C "Secrets[].ValueFrom", PROPERTY_STRING, NULL, true},
    {C "StartTimeout", PROPERTY_INTEGER, NULL, false},
    {C "StopTimeout", PROPERTY_INTEGER, NULL, false},
    {C "SystemControls[].Namespace", PROPERTY_STRING, NULL, true},
    {C "SystemControls[].Value", PROPERTY_STRING, NULL, true},
    {C "Ulimits[].HardLimit", PROPERTY_INTEGER, NULL, true},
    {C "Ulimits[].Name", PROPERTY_STRING, NULL, true},
    {C "Ulimits[].SoftLimit", PROPERTY_INTEGER, NULL, true},
    {C "User", PROPERTY_STRING, NULL, false},
    {C "VersionConsistency", PROPERTY_STRING, NULL, false},
    {C "VolumesFrom[].ReadOnly", PROPERTY_BOOLEAN, NULL, false},
    {C "VolumesFrom[].SourceContainer", PROPERTY_STRING, NULL, true},
    {C "WorkingDirectory", PROPERTY_STRING, NULL, false},
    {V "Name", PROPERTY_STRING, NULL, true},
    {V "Host.SourcePath", PROPERTY_STRING, NULL, false},
    {V "DockerVolumeConfiguration.Autoprovision", PROPERTY_BOOLEAN, NULL, false},
    {V "DockerVolumeConfiguration.Driver", PROPERTY_STRING, NULL, false},
    {V "DockerVolumeConfiguration.DriverOpts", PROPERTY_MAP, NULL, false},
    {V "DockerVolumeConfiguration.Labels", PROPERTY_MAP, NULL, false},
    {V "DockerVolumeConfiguration.Scope", PROPERTY_STRING, NULL, false},
    {V "EFSVolumeConfiguration", PROPERTY_OBJECT, "efsVolumeConfiguration", false},
    {V "EFSVolumeConfiguration.FilesystemId", PROPERTY_STRING, "fileSystemId", true},
    {V "EFSVolumeConfiguration.RootDirectory", PROPERTY_STRING, NULL, false},
    {V "EFSVolumeConfiguration.TransitEncryption", PROPERTY_STRING, NULL, false},
    {V "EFSVolumeConfiguration.TransitEncryptionPort", PROPERTY_INTEGER, NULL, false},
    {V "EFSVolumeConfiguration.AuthorizationConfig.AccessPointId", PROPERTY_STRING, NULL, false},
    {V "EFSVolumeConfiguration.AuthorizationConfig.IAM", PROPERTY_STRING, "iam", false},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"TaskDefinitionArn", NULL};

static int task_identity(const struct step_ctx *s, json_t *props, json_t **ret, struct fault *f)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char family[FAMILY_MAX + 1];
    const char *given;

    int r = type_plain(props, "Family", &given, f);
    if (r < 0)
        return r;
    if (given)
        r = str_format(family, sizeof(family), "%s", given);
    else
        r = naming_default(s->service_id, s->token, 64, family);
    size_t n = r < 0 ? 0 : strlen(family);
    if (n == 0 || strspn(family, allowed) != n)
        return fault_set(f, -EINVAL, "Family: 1 to %d letters, digits, _ and -", FAMILY_MAX);
    return type_identity(ret, f, "n", family, NULL);
}

static int task_check(const struct step_ctx *s _unused_, json_t *props, struct fault *f)
{
    if (json_array_size(json_object_get(props, "ContainerDefinitions")) == 0)
        return fault_set(f, -EINVAL, "ContainerDefinitions: at least one is needed");
    return 0;
}

/* --- looking --- */

/* 1: this revision is ACTIVE and ours; 0: it is not ours; -ENOENT: it is not ACTIVE any more. */
static int revision_is_ours(struct step_ctx *s, const char *arn, struct fault *f)
{
    _cleanup_json_ json_t *d = NULL;

    int r = ecs_describe_task_definition(s->aws, s->call, arn, &d, f);
    if (r < 0)
        return r;
    const char *status = type_text(json_object_get(d, "taskDefinition"), "status");
    if (status && !streq(status, "ACTIVE"))
        return fault_set(f, -ENOENT, "%s is %s", arn, status);
    return type_claimed(s, json_object_get(d, "tags"), "key", "value");
}

/* Splits the family's ACTIVE revisions, newest first: *ret_ours, and one that is not into
 * ret_stranger ("" if none). first_only: stops at our first. */
static int find_revisions(struct step_ctx *s, bool first_only, json_t **ret_ours,
                          char ret_stranger[256], struct fault *f)
{
    _cleanup_json_ json_t *all = NULL, *ours = json_array();
    size_t i;
    json_t *e;

    *ret_stranger = '\0';
    int r = ecs_list_task_definitions(s->aws, s->call, type_id(s, "n"), &all, f);
    if (r < 0)
        return r;
    json_array_foreach(all, i, e)
    {
        const char *arn = json_string_value(e);
        r = arn ? revision_is_ours(s, arn, f) : -ENOENT;
        if (r < 0 && r != -ENOENT)
            return r;
        if (r == 1 && json_array_append(ours, e) < 0)
            return type_no_memory(f);
        if (r == 0 && !*ret_stranger)
            str_format(ret_stranger, 256, "%s", arn);
        if (r == 1 && first_only)
            break;
    }
    *ret_ours = steal_ptr(ours);
    return 0;
}

static int task_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *ours = NULL;
    char stranger[256];

    int r = find_revisions(s, true, &ours, stranger, f);
    if (r < 0)
        return r;
    const char *arn = json_string_value(json_array_get(ours, 0));
    if (!arn && !*stranger)
        return 0;
    const char *found = arn ? arn : stranger, *revision = strrchr(found, ':');
    r = type_set_ids(ret, found, revision ? revision + 1 : "", found, f);
    if (r < 0)
        return r;
    ret->found = arn ? FOUND_OURS : FOUND_STRANGER;
    if (!arn)
        type_detail(ret, "task definition %s", stranger);
    return type_attribute(ret, "TaskDefinitionArn", found) < 0 ? type_no_memory(f) : 0;
}

/* --- making and removing --- */

static int task_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *request = NULL;
    _cleanup_free_ char *arn = NULL;

    int r = property_convert(properties, PROPERTY_LOWER_FIRST, props, &request, f);
    if (r < 0)
        return r;
    json_t *tags = type_tags(s, json_object_get(props, "Tags"), "key", "value");
    if (json_object_set_new(request, "tags", tags) < 0 ||
        json_object_set_new(request, "family", json_string(type_id(s, "n"))) < 0)
        return type_no_memory(f);
    return ecs_register_task_definition(s->aws, s->call, request, &arn, f);
}

static int task_remove(struct step_ctx *s, const struct step_state *st _unused_, struct fault *f)
{
    _cleanup_json_ json_t *ours = NULL;
    char stranger[256];
    size_t i;
    json_t *arn;

    int r = find_revisions(s, false, &ours, stranger, f);
    json_array_foreach(ours, i, arn) if (r == 0) r =
        ecs_deregister_task_definition(s->aws, s->call, json_string_value(arn), f);
    if (r == 0)
        r = ecs_delete_task_definitions(s->aws, s->call, ours, f);
    return r;
}

static int task_retag(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                      struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tag_list(set, "key", "value");

    if (!tags)
        return type_no_memory(f);
    int r = ecs_tag(s->aws, s->call, st->physical, tags, f);
    return r < 0 ? r : ecs_untag(s->aws, s->call, st->physical, unset, f);
}

const struct resource_type type_task_definition = {
    .name = "AWS::ECS::TaskDefinition",
    .code = "td",
    .properties = properties,
    .attributes = attributes,
    .short_id_max = 7,
    .identity = task_identity,
    .check = task_check,
    .look = task_look,
    .create = task_create,
    .remove = task_remove,
    .retag = task_retag,
};
