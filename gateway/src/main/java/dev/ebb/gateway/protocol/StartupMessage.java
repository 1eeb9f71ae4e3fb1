package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Opens a session.
 *
 * @param minorVersion of protocol 3, as the client asked
 * @param parameters by name, in the client's order; without protocol options
 * @param protocolOptions names of the {@code _pq_.} options asked for; Ebb knows none
 */
public record StartupMessage(
    int minorVersion, Map<String, String> parameters, List<String> protocolOptions)
    implements StartupPacket {
  static final int MAJOR_VERSION = 3;
  static final String PROTOCOL_OPTION_PREFIX = "_pq_.";

  public @Nullable String user() {
    return parameters.get("user");
  }

  /** The name asked for; the user's where none is. */
  public @Nullable String database() {
    String database = parameters.get("database");
    return database == null || database.isEmpty() ? user() : database;
  }

  /** Whether the client must be told that it gets plain protocol 3.0. */
  public boolean needsNegotiation() {
    return minorVersion > 0 || !protocolOptions.isEmpty();
  }

  /** The whole packet, as protocol 3.0. */
  public Buffer encode() {
    Buffer out = Buffer.buffer(256).appendInt(0).appendInt(MAJOR_VERSION << 16);
    parameters.forEach((name, value) ->
        out.appendBytes(name.getBytes(StandardCharsets.UTF_8))
            .appendByte((byte) 0)
            .appendBytes(value.getBytes(StandardCharsets.UTF_8))
            .appendByte((byte) 0));
    out.appendByte((byte) 0);
    return out.setInt(0, out.length());
  }
}
