package dev.ebb.launcher.client;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a running server leaves in its data directory for the commands: {@code endpoint.json}.
 *
 * @param url of the HTTP API
 * @param gatewayHost where PostgreSQL clients connect
 * @param gatewayPort where PostgreSQL clients connect
 * @param pid the server's process
 * @param kafka the bootstrap servers of the broker in the server's process; null where Kafka is
 *     elsewhere
 */
public record ServerLocation(
    String url, String gatewayHost, int gatewayPort, long pid, @Nullable String kafka) {
  private static final String FILE = "endpoint.json";

  /** Of a server whose Kafka is elsewhere. */
  public ServerLocation(String url, String gatewayHost, int gatewayPort, long pid) {
    this(url, gatewayHost, gatewayPort, pid, null);
  }

  /** What the data directory tells; null where no server has been started in it. */
  public static @Nullable ServerLocation read(Path dataDir) {
    try {
      Object json = Json.parse(Files.readString(dataDir.resolve(FILE)));
      if (json instanceof Map<?, ?> map
          && map.get("url") instanceof String url
          && map.get("gatewayHost") instanceof String host
          && map.get("gatewayPort") instanceof Number port
          && map.get("pid") instanceof Number pid) {
        return new ServerLocation(
            url,
            host,
            port.intValue(),
            pid.longValue(),
            map.get("kafka") instanceof String kafka ? kafka : null);
      }
    } catch (IOException e) {
      // As good as absent: a server that starts writes it anew.
    }
    return null;
  }

  /** Takes the place of what a predecessor left. */
  public void write(Path dataDir) throws IOException {
    var json = new LinkedHashMap<String, Object>();
    json.put("url", url);
    json.put("gatewayHost", gatewayHost);
    json.put("gatewayPort", gatewayPort);
    json.put("pid", pid);
    if (kafka != null) {
      json.put("kafka", kafka);
    }
    Path temporary = dataDir.resolve(FILE + ".new");
    Files.deleteIfExists(temporary);
    Files.createFile(
        temporary,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r--r--")));
    Files.write(temporary, Json.write(json).getBytes(StandardCharsets.UTF_8));
    Files.move(
        temporary,
        dataDir.resolve(FILE),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }

  /** At a server's clean stop. */
  public static void delete(Path dataDir) throws IOException {
    Files.deleteIfExists(dataDir.resolve(FILE));
  }
}
