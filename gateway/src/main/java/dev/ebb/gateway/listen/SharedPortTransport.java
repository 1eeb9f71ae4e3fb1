package dev.ebb.gateway.listen;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.socket.nio.NioChannelOption;
import io.vertx.core.impl.transports.NioTransport;
import io.vertx.core.impl.transports.TransportInternal;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.transport.Transport;
import java.net.StandardSocketOptions;

/**
 * Vert.x's transport over the JDK's sockets, which heeds {@link NetServerOptions#isReusePort}:
 * Vert.x itself does so with a native transport only, although the JDK's sockets can as well.
 */
public final class SharedPortTransport extends NioTransport {
  private SharedPortTransport() {}

  /** For {@code VertxBuilder.withTransport}. */
  public static Transport create() {
    return new TransportInternal("nio", true, null, new SharedPortTransport());
  }

  @Override
  public void configure(NetServerOptions options, boolean domainSocket, ServerBootstrap bootstrap) {
    super.configure(options, domainSocket, bootstrap);
    if (!domainSocket && options.isReusePort()) {
      bootstrap.option(NioChannelOption.of(StandardSocketOptions.SO_REUSEPORT), true);
    }
  }
}
