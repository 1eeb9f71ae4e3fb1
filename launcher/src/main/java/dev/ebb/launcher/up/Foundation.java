package dev.ebb.launcher.up;

import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.nio.file.Path;

/**
 * What services are built on.
 *
 * @param directory the process' data directory
 * @param apiToken what clients of the HTTP API present
 * @param broker Kafka: where to reach it, and the one in this process where it runs here
 */
record Foundation(
    EbbConfig config,
    Path directory,
    Secret clusterSecret,
    Secret apiToken,
    ObjectStore store,
    Cluster cluster,
    Broker broker,
    PrometheusMeterRegistry meters) {}
