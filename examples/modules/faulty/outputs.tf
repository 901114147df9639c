output "machine" {
  description = "Id of the machine, once there is one."
  value       = terraform_data.machine.id
}
