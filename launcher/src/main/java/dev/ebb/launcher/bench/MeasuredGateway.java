package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * A server of the bench's own, and a second gateway in front of it that is a process by itself:
 * what that process takes is the gateway's alone.
 *
 * @param server with a gateway of its own, which nobody uses
 * @param process of the measured gateway
 */
record MeasuredGateway(BenchServer server, Process process, int sessionPort, int poolPort) {
  /**
   * Starts both.
   *
   * @param home an empty directory for all their files
   * @param poolSize connections to the compute that clients share
   */
  static MeasuredGateway start(Path home, int poolSize, Cleanup cleanup)
      throws IOException, ApiException {
    int member = OwnServer.freePort();
    Map<String, String> secret =
        Map.of("EBB_CLUSTER_SECRET", UUID.randomUUID().toString() + UUID.randomUUID());
    String store = "store: {local: {dir: " + home.resolve("store") + "}}";
    String cluster = "hazelcast: {port: %d, members: [\"127.0.0.1:" + member + "\"]}";
    OwnServer.launch(
        home,
        List.of(
            store,
            cluster.formatted(member),
            "gateway: {port: " + OwnServer.freePort() + ", pool: {port: none}}",
            "scaler: {idleTimeout: 0}",
            // Enough for each of the two poolers, and for sessions beside them.
            "compute: {maxConnections: " + (3 * poolSize + 100) + "}"),
        secret,
        List.of("up"),
        cleanup);
    BenchServer server = OwnServer.found(home);
    Path beside = Files.createDirectory(home.resolve("gateway"));
    int sessionPort = OwnServer.freePort();
    int poolPort = OwnServer.freePort();
    Process process =
        OwnServer.launch(
            beside,
            List.of(
                store,
                cluster.formatted(OwnServer.freePort()),
                "service: {httpPort: " + OwnServer.freePort() + "}",
                "kafka: {bootstrapServers: \"127.0.0.1:1\"}",
                "gateway: {port: %d, pool: {port: %d, size: %d}}"
                    .formatted(sessionPort, poolPort, poolSize)),
            secret,
            List.of("run", "gateway"),
            cleanup);
    return new MeasuredGateway(server, process, sessionPort, poolPort);
  }
}
