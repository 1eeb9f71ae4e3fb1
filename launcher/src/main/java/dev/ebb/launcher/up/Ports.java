package dev.ebb.launcher.up;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;

/** Checks ports before anything else is started, to tell which flag to change. */
final class Ports {
  private Ports() {}

  /** Fails where {@code port} of {@code host} cannot be listened on; 0 always can. */
  static void requireFree(String host, int port, String what, String flag) throws StartException {
    if (port == 0) {
      return;
    }
    try (var socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getAllByName(host)[0], port));
    } catch (UnknownHostException e) {
      throw new StartException(
          host + " is no address of this machine: choose another for " + what, e);
    } catch (BindException e) {
      String text = String.valueOf(e.getMessage());
      if (text.contains("Permission denied")) {
        throw new StartException(
            "no permission to listen on port "
                + port
                + " ("
                + what
                + "): choose one above 1023 with "
                + flag,
            e);
      }
      if (text.contains("assign")) {
        throw new StartException(
            host + " is no address of this machine: choose another for " + what, e);
      }
      throw new StartException(
          "port "
              + port
              + " ("
              + what
              + ") is in use: stop what uses it, or choose another with "
              + flag,
          e);
    } catch (IOException e) {
      throw new StartException("cannot listen on port " + port + " (" + what + "): " + e, e);
    }
  }

  /**
   * The same for a port that another process may share: what listens there must have said that it
   * may be, and be this user's. The socket that tries it does not listen itself, or it would get
   * connections.
   */
  static void requireFreeOrShared(String host, int port, String what, String flag)
      throws StartException {
    if (port == 0) {
      return;
    }
    try (var socket = new Socket()) {
      socket.setOption(StandardSocketOptions.SO_REUSEPORT, true);
      socket.bind(new InetSocketAddress(InetAddress.getAllByName(host)[0], port));
    } catch (IOException e) {
      requireFree(host, port, what, flag);
    }
  }

  /** A port that is free just now. */
  static int free() throws IOException {
    try (var socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      return socket.getLocalPort();
    }
  }
}
