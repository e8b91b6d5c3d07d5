// bench.v1.Bench on gRPC-Go: a peer that the benchmarks compare with.
// Usage: grpc_go_server PORT
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"

	pb "bench/v1"

	"github.com/golang/protobuf/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

// A message that was encoded once for many streams.
type encoded []byte

// The usual codec, which lets messages pass that are encoded already.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(message interface{}) ([]byte, error) {
	if bytes, ok := message.(encoded); ok {
		return bytes, nil
	}
	return proto.Marshal(message.(proto.Message))
}

func (codec) Unmarshal(bytes []byte, message interface{}) error {
	return proto.Unmarshal(bytes, message.(proto.Message))
}

type benchServer struct{}

func (benchServer) Echo(_ context.Context, request *pb.EchoRequest) (*pb.EchoReply, error) {
	return &pb.EchoReply{Payload: request.Payload, Tag: request.Tag}, nil
}

func (benchServer) Download(request *pb.StreamRequest, stream pb.Bench_DownloadServer) error {
	for sequence := uint32(0); sequence < request.Count; sequence++ {
		payload := make([]byte, request.Size)
		for index := range payload {
			payload[index] = 'x'
		}
		if err := stream.Send(&pb.Chunk{Seq: sequence, Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

func (benchServer) Upload(stream pb.Bench_UploadServer) error {
	var count uint32
	var total uint64
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.Chunk{Seq: count, Payload: []byte(strconv.FormatUint(total, 10))})
		}
		if err != nil {
			return err
		}
		count++
		total += uint64(len(chunk.Payload))
	}
}

func (benchServer) Chat(stream pb.Bench_ChatServer) error {
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(chunk); err != nil {
			return err
		}
	}
}

// How many events may wait for one subscriber before the publisher waits for it.
const eventsAhead = 16

type broadcastServer struct {
	mutex       sync.RWMutex
	subscribers map[chan encoded]struct{}
}

func (server *broadcastServer) Subscribe(_ *pb.SubscribeRequest, stream pb.Broadcast_SubscribeServer) error {
	events := make(chan encoded, eventsAhead)
	server.mutex.Lock()
	server.subscribers[events] = struct{}{}
	server.mutex.Unlock()
	defer func() {
		server.mutex.Lock()
		delete(server.subscribers, events)
		server.mutex.Unlock()
	}()
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		select {
		case event := <-events:
			if err := stream.SendMsg(event); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (server *broadcastServer) Publish(stream pb.Broadcast_PublishServer) error {
	var count uint32
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.Chunk{Seq: count})
		}
		if err != nil {
			return err
		}
		count++
		event, err := proto.Marshal(chunk)
		if err != nil {
			return err
		}
		server.mutex.RLock()
		for events := range server.subscribers {
			events <- event
		}
		server.mutex.RUnlock()
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: grpc_go_server PORT")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	encoding.RegisterCodec(codec{})
	server := grpc.NewServer()
	pb.RegisterBenchServer(server, benchServer{})
	pb.RegisterBroadcastServer(server, &broadcastServer{subscribers: map[chan encoded]struct{}{}})
	fmt.Printf("ready listen=%s grpc=%s\n", listener.Addr(), grpc.Version)
	log.Fatal(server.Serve(listener))
}
