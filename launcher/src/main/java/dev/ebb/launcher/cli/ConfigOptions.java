package dev.ebb.launcher.cli;

import com.sun.management.OperatingSystemMXBean;
import dev.ebb.launcher.config.ConfigException;
import dev.ebb.launcher.config.ConfigReader;
import dev.ebb.launcher.config.ConfigReader.Flag;
import dev.ebb.launcher.config.EbbConfig;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that make up the configuration: a file, and flags that outrank it. */
final class ConfigOptions {
  private static final long ASSUMED_MEMORY_BYTES = 4L << 30;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "Configuration, YAML or JSON; the flags outrank it.")
  private @Nullable Path file;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "${env:EBB_DATA}",
      description = "Data directory (default: .ebb).")
  private @Nullable String data;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      description = "Port for PostgreSQL clients (default: 6432).")
  private @Nullable String port;

  @Option(
      names = "--http-port",
      paramLabel = "PORT",
      description = "Port of the HTTP API (default: 8432).")
  private @Nullable String httpPort;

  @Option(
      names = "--host",
      paramLabel = "ADDRESS",
      description = "Address for PostgreSQL clients and the HTTP API (default: 127.0.0.1).")
  private @Nullable String host;

  @Option(
      names = "--idle-timeout",
      paramLabel = "TIME",
      description =
          "Suspend what nobody used for so long, such as 30s or 5m; 0: never" + " (default: 5m).")
  private @Nullable String idleTimeout;

  /** Reads it all; {@code httpPortPath} is the key that {@code --http-port} stands for. */
  EbbConfig read(String httpPortPath) throws ConfigException {
    List<Flag> flags = new ArrayList<>();
    add(flags, "--data", "dataDir", data);
    add(flags, "--port", "gateway.port", port);
    add(flags, "--http-port", httpPortPath, httpPort);
    add(flags, "--host", "gateway.host", host);
    add(flags, "--host", "api.host", host);
    add(flags, "--idle-timeout", "scaler.idleTimeout", idleTimeout);
    return new ConfigReader(System.getenv(), machineMemoryBytes()).read(file, flags);
  }

  @Nullable Path file() {
    return file;
  }

  private static void add(List<Flag> flags, String flag, String path, @Nullable String value) {
    if (value != null && !value.isBlank()) {
      flags.add(new Flag(flag, path, value));
    }
  }

  private static long machineMemoryBytes() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean machine
        ? machine.getTotalMemorySize()
        : ASSUMED_MEMORY_BYTES;
  }
}
