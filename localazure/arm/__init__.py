"""Resource Manager, and the effects of the services behind it on resources.

`service` receives a request and finds its line in the route table of `resource_manager` and the behaviour of its type.
`behaviour` implements what all types do; `namespaces` adds what single types do, with one module or package for each
Azure namespace. `control_plane` holds what behaviours share: the store, `operations` that take time, roles, the data
plane. `long_running` says how clients are told of operations, `machine_learning_api` what the api-versions of Machine
Learning differ in, and `batch_service` is where batch endpoints are invoked.
"""
